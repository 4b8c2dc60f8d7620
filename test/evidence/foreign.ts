/** Programs that nobody here wrote: found and run, or the suite that needs them is skipped with a line that says why. It knows nothing of evidence. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL('go', import.meta.url));
const MIB = 2 ** 20;

/** Skips the suite when what it needs is not there; where STRONGROOM_CROSSCHECK is `required`, as in `.ci/run`, that is a failure. */
export function skipWithout(context: Mocha.Context, what: string, reason: string): never {
  if (process.env['STRONGROOM_CROSSCHECK'] === 'required') throw new Error(`${what} is required here: ${reason}`);
  console.log(`    skipped, ${what} is missing: ${reason}`);
  return context.skip();
}

/** Skips the suite unless the command answers with 0. */
export function needCommand(context: Mocha.Context, command: string, args: readonly string[]): void {
  const { error, status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error === undefined && status === 0) return;
  skipWithout(context, command, error?.message ?? lastLine(stderr));
}

/** Builds the Go program in `test/evidence/go`; its path. Skips the suite where there is no Go, or its modules cannot be fetched. */
export async function buildGo(context: Mocha.Context): Promise<string> {
  context.timeout(240_000);
  needCommand(context, 'go', ['version']);
  const binary = join(mkdtempSync(join(tmpdir(), 'strongroom-go-')), 'crosscheck');
  await run('go', ['mod', 'download'], { cwd: SOURCE }).catch((error: unknown) =>
    skipWithout(context, 'a Go module', lastLine((error as { stderr: string }).stderr)),
  );
  await run('go', ['build', '-o', binary, '.'], { cwd: SOURCE, env: { ...process.env, CGO_ENABLED: '0' } });
  return binary;
}

/** What a program prints. Rejects with what it says on stderr when it does not end with 0. */
export async function printed(program: string, args: readonly string[], input?: string): Promise<string> {
  const running = run(program, args, { maxBuffer: 256 * MIB });
  // It may end before it has read all: what it says then is worth more than the broken pipe.
  running.child.stdin?.on('error', () => undefined).end(input);
  return (await running).stdout;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
