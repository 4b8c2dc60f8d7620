#!/usr/bin/env node
/** The bin `strongroom`: this process' argv, streams and exit code. It knows which commands there are and nothing of them. */
import { adopt } from './adopt.js';
import { checkProofCommand } from './check-proof.js';
import { doctor } from './doctor.js';
import { exportCommand } from './export.js';
import { keygen } from './keygen.js';
import { createOutput } from './output.js';
import { prove } from './prove.js';
import { provisionCommand } from './provision.js';
import { pruneCommand } from './prune.js';
import { run } from './run.js';

const COMMANDS = [keygen, provisionCommand, doctor, exportCommand, prove, checkProofCommand, adopt, pruneCommand];

// Whatever ends this process before its work does must not look like success.
process.exitCode = 2;
void run(process.argv.slice(2), { commands: COMMANDS, output: createOutput(), environment: process.env }).then(
  (code) => {
    // Not process.exit(): what was written to a pipe would be cut.
    process.exitCode = code;
  },
);
