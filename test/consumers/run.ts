/** Installs the packed tarball into small projects of users and runs each. Prints one line a check; exits 1 when one failed. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startMongod } from '../mongod.js';

interface Check {
  name: string;
  command: readonly string[];
  /** What it must print. */
  prints?: RegExp;
}

interface Project {
  folder: 'esm' | 'require' | 'jest' | 'types';
  packages: readonly string[];
  checks: readonly Check[];
}

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..', '..');
const NEWEST = ['express@5', 'mongoose@9'];
const OLDEST = ['express@4.21', 'mongoose@8.9'];
const COMPILERS = ['5.9', '6', '7'];
const BIN = join('node_modules', '.bin', 'strongroom');
const MODULES = ['commonjs', 'node16', 'bundler'];

const PROJECTS: readonly Project[] = [
  {
    folder: 'esm',
    packages: NEWEST,
    checks: [
      { name: 'ESM, and both builds in one process', command: ['node', 'index.mjs'] },
      { name: 'the bin says its version', command: [BIN, '--version'], prints: /^\d+\.\d+\.\d+\S*\n$/ },
      {
        name: 'the bin makes a key',
        command: [BIN, 'keygen', '--name', 'consumer.test/trail', '--json'],
        prints:
          /^\{"signingKey":"PRIVATE\+KEY\+consumer\.test\/trail\+[^"]+","vkey":"consumer\.test\/trail\+[^"]+"\}\n$/,
      },
    ],
  },
  { folder: 'require', packages: NEWEST, checks: [{ name: 'require', command: ['node', 'index.cjs'] }] },
  {
    folder: 'require',
    packages: OLDEST,
    checks: [{ name: `require with the oldest peers (${OLDEST.join(', ')})`, command: ['node', 'index.cjs'] }],
  },
  ...['29', '30'].flatMap((version) => ['9', '8'].map((mongoose) => jestProject(version, mongoose))),
  ...['9', '8'].map((mongoose) => typesProject(mongoose)),
];

const run = promisify(execFile);

function jestProject(version: string, mongoose: string): Project {
  // From 7.6 on the driver of mongoose 9 loads node:os by import(), which Jest allows with this flag only; without our package too.
  const flags = mongoose === '9' ? ['--experimental-vm-modules', '--no-warnings'] : [];
  const name = ['Jest', version, 'with mongoose', mongoose, ...flags.slice(0, 1)].join(' ');
  const checks = [{ name, command: ['node', ...flags, 'node_modules/jest/bin/jest.js', '--ci'] }];
  return { folder: 'jest', packages: ['express@5', `mongoose@${mongoose}`, `jest@${version}`], checks };
}

function typesProject(mongoose: string): Project {
  const checks = COMPILERS.flatMap((version) =>
    MODULES.map((module) => ({
      name: `TypeScript ${version}, ${module}, types of mongoose ${mongoose}`,
      command: ['node', `node_modules/typescript-${version}/bin/tsc`, '-p', `tsconfig.${module}.json`],
    })),
  );
  const compilers = COMPILERS.map((version) => `typescript-${version}@npm:typescript@${version}`);
  const packages = ['express@5', '@types/express@5', '@types/node@20', `mongoose@${mongoose}`, ...compilers];
  return { folder: 'types', packages, checks };
}

async function npm(folder: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('npm', args, { cwd: folder, maxBuffer: 2 ** 26, timeout: 600_000 });
  return stdout;
}

async function pack(folder: string): Promise<string> {
  await npm(ROOT, 'pack', '--silent', '--pack-destination', folder);
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no tarball');
  return join(folder, tarball);
}

async function install(project: Project, tarball: string): Promise<string> {
  const folder = await mkdtemp(join(dirname(tarball), `${project.folder}-`));
  await cp(join(HERE, project.folder), folder, { recursive: true });
  await cp(join(HERE, 'drive.cjs'), join(folder, 'drive.cjs'));
  // The same text under node16 twice: app.ts is CommonJS there, app.mts is ESM.
  if (project.folder === 'types') await cp(join(folder, 'app.ts'), join(folder, 'app.mts'));
  await npm(
    folder,
    'install',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--no-save',
    tarball,
    ...project.packages,
  );
  return folder;
}

async function check({ name, command, prints }: Check, folder: string, uri: string): Promise<boolean> {
  const [program = 'node', ...args] = command;
  const database = `${uri}consumer_${Math.random().toString(36).slice(2)}`;
  const env = { ...process.env, MONGODB_URI: database, NODE_ENV: 'test', NODE_OPTIONS: '' };
  const started = Date.now();
  const failure = await run(program, args, { cwd: folder, env, timeout: 300_000 }).then(
    // What it printed may be a key.
    ({ stdout, stderr }) =>
      prints?.test(stdout) === false ? { stdout: '', stderr, message: 'it printed something else' } : undefined,
    (error: unknown) => error as { stdout: string; stderr: string; message: string },
  );
  console.log(`${failure === undefined ? 'ok    ' : 'FAILED'} ${name} (${Date.now() - started} ms)`);
  if (failure !== undefined) console.log(indent([failure.stdout, failure.stderr].join('\n').trim() || failure.message));
  return failure === undefined;
}

function indent(text: string): string {
  const lines = text.split('\n');
  const more = lines.length > 40 ? [`... ${lines.length - 40} more lines`] : [];
  return [...lines.slice(0, 40), ...more].map((line) => `       ${line}`).join('\n');
}

async function runAll(folder: string, uri: string): Promise<number> {
  const tarball = await pack(folder);
  const wanted = process.argv[2] ?? '';
  let failed = 0;
  for (const project of PROJECTS) {
    const checks = project.checks.filter(({ name }) => name.includes(wanted));
    if (checks.length === 0) continue;
    const installed = await install(project, tarball);
    for (const each of checks) if (!(await check(each, installed, uri))) failed += 1;
  }
  return failed;
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-consumers-'));
  const server = await startMongod();
  try {
    const failed = await runAll(folder, server.getUri());
    console.log(failed === 0 ? 'consumers: all passed' : `consumers: ${failed} failed`);
    if (failed > 0) process.exitCode = 1;
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

await main();
