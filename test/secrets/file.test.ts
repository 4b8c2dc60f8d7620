/** The file provider on a real directory, as Docker and Kubernetes mount it. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { type FileProviderOptions, fileProvider } from '../../src/secrets/file.js';
import { isolateEnvironment, open, rejection, thrown } from './fakes.js';

const context = { signal: new AbortController().signal };

describe('fileProvider', () => {
  isolateEnvironment();
  let root: string;
  let directory: string;
  const read = (name: string): Promise<string | undefined> => fileProvider({ directory }).get(name, context);

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'strongroom-file-'));
    directory = join(root, 'secrets');
    await mkdir(directory);
    await writeFile(join(root, 'outside'), 'outside');
  });
  afterEach(() => rm(root, { recursive: true }));

  it('strips exactly one trailing newline and nothing else', async () => {
    for (const [stored, value] of [
      ['x', 'x'],
      ['x\n', 'x'],
      ['x\n\n', 'x\n'],
      ['\n', ''],
      ['', ''],
      ['x \n', 'x '],
      ['x\r\n', 'x\r'],
      ['\uFEFFx', '\uFEFFx'],
    ] as const) {
      await writeFile(join(directory, 'A'), stored);
      expect(await read('A'), JSON.stringify(stored)).to.equal(value);
    }
  });

  it('gives every value unchanged', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (value) => {
        await writeFile(join(directory, 'A'), `${value}\n`);
        expect(await read('A')).to.equal(value);
      }),
    );
  });

  it('says undefined for a file that is not there, in a directory that is', async () => {
    for (const name of ['A', '__proto__', 'constructor', 'hasOwnProperty'])
      expect(await read(name)).to.equal(undefined);
    await writeFile(join(directory, '__proto__'), 'x');
    expect(await read('__proto__')).to.equal('x');
  });

  for (const name of [
    '../outside',
    'a/b',
    '..',
    '.',
    '',
    'a\0b',
    '\0',
    '..\\outside',
    'C:x',
    'C:\\x',
    '/etc/hostname',
    'A/',
    './A',
  ])
    it(`refuses the name ${JSON.stringify(name)}`, async () => {
      await writeFile(join(directory, 'A'), 'x');
      expect(await rejection(read(name))).to.include({ code: 'NAME_REFUSED' });
    });

  it('takes names with dots and odd characters', async () => {
    for (const name of ['tls.crt', '.hidden', '...', 'a b', 'ключ', 'a*?']) {
      await writeFile(join(directory, name), name);
      expect(await read(name)).to.equal(name);
    }
  });

  it('fails on a directory in the place of a file, on a missing directory and on a file in the place of the directory', async () => {
    await mkdir(join(directory, 'A'));
    expect(await rejection(read('A'))).to.include({ code: 'NOT_A_FILE' });
    expect(await rejection(fileProvider({ directory: join(root, 'gone') }).get('A', context))).to.include({
      code: 'ENOENT',
    });
    const inFile = fileProvider({ directory: join(root, 'outside') });
    expect(await rejection(inFile.get('A', context))).to.include({ code: 'ENOTDIR' });
  });

  it('reads up to 1 MiB, of UTF-8', async () => {
    await writeFile(join(directory, 'A'), 'x'.repeat(1024 * 1024));
    expect((await read('A'))?.length).to.equal(1024 * 1024);
    await writeFile(join(directory, 'A'), 'x'.repeat(1024 * 1024 + 1));
    expect(await rejection(read('A'))).to.include({ code: 'TOO_LARGE' });
    await writeFile(join(directory, 'A'), Buffer.from([0xc3, 0x28]));
    expect(await rejection(read('A'))).to.include({ code: 'NOT_UTF8' });
  });

  it('does not hang on a named pipe', async () => {
    execFileSync('/usr/bin/mkfifo', [join(directory, 'A')]);
    expect(await rejection(read('A'))).to.include({ code: 'NOT_A_FILE' });
  });

  it('sees a Kubernetes swap of ..data', async () => {
    const version = async (name: string, value: string): Promise<void> => {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, 'KEY'), value);
      await symlink(name, join(directory, '..data_tmp'));
      await rename(join(directory, '..data_tmp'), join(directory, '..data'));
    };
    await version('..2025_01', 'old');
    await symlink(join('..data', 'KEY'), join(directory, 'KEY'));
    const { manager } = open({ provider: fileProvider({ directory }), ttl: 0 });
    expect(await manager.get('KEY')).to.equal('old');
    await version('..2025_02', 'new');
    await rm(join(directory, '..2025_01'), { recursive: true });
    expect(await manager.get('KEY')).to.equal('new');
  });

  it('is used by name with SECRETS_DIR', async () => {
    await writeFile(join(directory, 'A'), 'mounted\n');
    process.env['SECRETS_DIR'] = directory;
    expect(await open({ provider: 'file' }).manager.get('A')).to.equal('mounted');
  });

  it('refuses unknown and missing options', () => {
    for (const options of [undefined, {}, { directory: '' }, { directory: '/x', watch: true }])
      expect(thrown(() => fileProvider(options as FileProviderOptions)).message).to.match(/^fileProvider/);
  });
});
