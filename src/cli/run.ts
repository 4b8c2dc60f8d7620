/** From argv to an exit code: finds the command, runs it, prints what it gives. It knows no command's business. */
import { OptionsError } from '../errors.js';
import { findCommand, readFlags, wantsHelp } from './arguments.js';
import type { Command, ExitCode, Outcome } from './command.js';
import { readFailure } from './failure.js';
import { describeHelp, describeOverview, helpOf, overview } from './help.js';
import type { Output } from './output.js';
import { VERSION } from './version.js';

/** What a run needs. */
export interface Session {
  /** The commands that there are. */
  readonly commands: readonly Command[];
  /** The streams. */
  readonly output: Output;
  /** The environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The clock, ms since 1970. */
  readonly now: () => number;
}

/** What a command met is not as it was left: no mere failure. */
const VIOLATION = 'ERR_STRONGROOM_LEDGER_ALARM';

/** Runs one command line, without the names of node and script; never rejects. */
export async function run(argv: readonly string[], session: Session): Promise<ExitCode> {
  try {
    const outcome = await answer(argv, session);
    const isJson = argv.includes('--json') && outcome.result !== undefined;
    session.output.write(isJson ? `${JSON.stringify(outcome.result)}\n` : outcome.text);
    return outcome.code;
  } catch (error) {
    const failure = readFailure(error);
    if (argv.includes('--json')) session.output.write(`${JSON.stringify({ error: failure })}\n`);
    session.output.say(`strongroom: ${failure.message}`);
    return failure.code === VIOLATION ? 1 : 2;
  }
}

async function answer(argv: readonly string[], session: Session): Promise<Outcome> {
  const { commands, ...rest } = session;
  const [word, ...args] = argv;
  if (word === undefined) throw new OptionsError(`a command is missing\n\n${overview(commands).trimEnd()}`);
  if (word === '--version') return { code: 0, result: { version: VERSION }, text: `${VERSION}\n` };
  if (word === '--help' || word === '-h')
    return { code: 0, result: describeOverview(commands), text: overview(commands) };
  const command = findCommand(word, commands);
  if (wantsHelp(args)) return { code: 0, result: describeHelp(command), text: helpOf(command) };
  return command.run({ ...rest, flags: readFlags(args, command) });
}
