#!/usr/bin/env node
/** The bin `strongroom`: this process' argv, streams and exit code. It knows no command. */
import { COMMANDS } from './commands.js';
import { createOutput } from './output.js';
import { run } from './run.js';

// Whatever ends this process before its work does must not look like success.
process.exitCode = 2;
const session = { commands: COMMANDS, output: createOutput(), environment: process.env, now: () => Date.now() };
void run(process.argv.slice(2), session).then((code) => {
  // Not process.exit(): what was written to a pipe would be cut.
  process.exitCode = code;
});
