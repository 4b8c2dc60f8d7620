/** The question before an act that cannot be taken back. It knows no command. */
import { createInterface } from 'node:readline/promises';
import type { Call } from './command.js';
import { RefusalError } from './failure.js';

/**
 * Asks on a terminal; `--yes` is the answer given before.
 * @throws {@link RefusalError} when nobody can be asked, or the answer is not yes: nothing is to be done then
 */
export async function assertConsent({ flags, output }: Call, what: string): Promise<void> {
  if (flags.has('yes')) return;
  output.say(what);
  if (!output.canAsk) throw new RefusalError('nothing was done: pass --yes to do it without being asked');
  if ((await ask('Do it? Type yes: ')) !== 'yes') throw new RefusalError('nothing was done');
}

/** The answer; an empty one when the terminal was closed instead. */
async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // A question whose terminal goes away is never answered: the process would end as if all were well.
  const closed = new Promise<string>((resolve) => {
    terminal.once('close', () => resolve(''));
  });
  try {
    return (await Promise.race([terminal.question(question), closed])).trim();
  } finally {
    terminal.close();
  }
}
