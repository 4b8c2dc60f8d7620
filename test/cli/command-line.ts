/** Runs the command line as a process of its own, from the sources. It knows no command. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What a run left. */
export interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const MAIN = join(process.cwd(), 'src', 'cli', 'main.ts');

/** Node's arguments that run the command line. */
export const NODE_ARGUMENTS: readonly string[] = ['--import', TSX, MAIN];

/** Runs it to its end, with no more of an environment than is given. stdin is no terminal. */
export function strongroom(args: readonly string[], environment: Record<string, string> = {}): Promise<Run> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'], ...environment };
    const child = spawn(process.execPath, [...NODE_ARGUMENTS, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** As `strongroom`, with `--json`: stdout must be exactly one line with one object. */
export async function strongroomJson<Result>(
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<{ code: number | null; result: Result; stderr: string }> {
  const { code, stdout, stderr } = await strongroom([...args, '--json'], environment);
  if (!/^\{.*\}\n$/.test(stdout)) throw new Error(`not one object: ${stdout} ${stderr}`);
  return { code, result: JSON.parse(stdout) as Result, stderr };
}
