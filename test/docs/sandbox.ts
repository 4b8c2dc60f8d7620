/** A folder where the blocks of a page are files: checked by the compiler as a user's are, and run as child processes. */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Block, Page } from './markdown.js';

/** What a child process did. */
export interface Run {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const ROOT = process.cwd();
/** Below node_modules: ignored by every tool, and packages are found from there. */
const FOLDER = resolve('node_modules', '.cache', 'strongroom-docs', String(process.pid));
const YOUR_OWN = resolve('test', 'docs', 'your-own');

/** As a user's project would have them. */
const COMPILER_OPTIONS = {
  // What src is written for: it is compiled along.
  target: 'es2023',
  module: 'nodenext',
  types: ['node', 'mocha'],
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  paths: { 'express-strongroom': [resolve('src', 'index.ts')] },
  // The examples' own files are beside them.
  rootDirs: [FOLDER, YOUR_OWN],
};

/** Makes the folder. */
export function openSandbox(): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, 'package.json'), JSON.stringify({ type: 'module' }));
}

/** Removes it. */
export function closeSandbox(): void {
  rmSync(FOLDER, { recursive: true, force: true });
}

/** Writes the TypeScript blocks of pages and compiles them; gives the compiler's words, nothing when all is well. */
export async function typecheck(pages: readonly Page[]): Promise<string> {
  const files = pages.flatMap((page) => page.blocks.filter(isTypeScript).map((block) => writeBlock(page, block)));
  const declarations = ['nestjs.d.ts', 'passport.d.ts'].map((name) => join(YOUR_OWN, name));
  const project = join(FOLDER, 'tsconfig.json');
  writeFileSync(project, JSON.stringify({ compilerOptions: COMPILER_OPTIONS, files: [...files, ...declarations] }));
  const { exitCode, stdout, stderr } = await runNode([resolve('node_modules/typescript/bin/tsc'), '-p', project]);
  return exitCode === 0 ? '' : stdout + stderr || `exit code ${exitCode}`;
}

/** Whether the compiler should see a block. */
export function isTypeScript({ language }: Block): boolean {
  return language === 'ts';
}

/** Writes a block so that it can be run from where it lies; gives the file. */
export function writeRunnable(page: Page, block: Block): string {
  const file = writeBlock(page, block, 'run');
  const code = block.code
    .replaceAll("'express-strongroom'", `'${pathToFileURL(resolve('src', 'index.ts')).href}'`)
    .replaceAll(
      /from '\.\/([\w.]+)\.js'/g,
      (_, name: string) => `from '${pathToFileURL(join(YOUR_OWN, name)).href}.ts'`,
    );
  writeFileSync(file, code);
  return file;
}

/** Runs Node with TypeScript, to its end. */
export function runNode(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  return startNode(args, env).ended;
}

/** Starts Node with TypeScript. */
export function startNode(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { ended: Promise<Run>; stop: () => void } {
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', NODE_ENV: 'test', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  // One that never ends by itself is a leak of the example, and must not outlive the suite.
  const timer = setTimeout(() => child.kill('SIGKILL'), 50_000);
  const ended = new Promise<Run>((done, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      done({ exitCode, ...output });
    });
  });
  return { ended, stop: () => void child.kill('SIGTERM') };
}

function writeBlock(page: Page, block: Block, prefix: string = 'check'): string {
  const file = join(FOLDER, `${prefix}-${basename(page.file, '.md')}-${block.line}.ts`);
  writeFileSync(file, block.code);
  return file;
}
