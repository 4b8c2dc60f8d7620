/** What the benchmark needs before it can be loaded: its own dependencies and the built package. It imports neither. */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..', '..');

/** Installs what is missing and builds the package anew: sources that tsx translates are not what users run. */
export function prepare(): void {
  if (!isInstalled()) npm(HERE, ['ci', '--no-audit', '--no-fund']);
  npm(ROOT, ['run', 'build', '--silent']);
}

/** npm writes its own copy of the lock file last, so it is as new as what is installed. */
function isInstalled(): boolean {
  const installed = statSync(join(HERE, 'node_modules', '.package-lock.json'), { throwIfNoEntry: false });
  return installed !== undefined && installed.mtimeMs >= statSync(join(HERE, 'package-lock.json')).mtimeMs;
}

function npm(folder: string, args: readonly string[]): void {
  console.error(`npm ${args.join(' ')}`);
  const { status, error } = spawnSync('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}`);
}
