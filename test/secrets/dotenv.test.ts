/** The dotenv provider on real files. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { type DotenvProviderOptions, dotenvProvider } from '../../src/secrets/dotenv.js';
import { isolateEnvironment, open, rejection, thrown } from './fakes.js';

const context = { signal: new AbortController().signal };
const PEM =
  '-----BEGIN PRIVATE KEY-----\nMIIBVQIBADANBgkqhkiG9w0BAQEFAASCAT8wggE7AgEAAkEA\nabc+/w==\n-----END PRIVATE KEY-----';

describe('dotenvProvider', () => {
  isolateEnvironment();
  let directory: string;
  let path: string;
  const read = async (text: string | Buffer, name: string): Promise<string | undefined> => {
    await writeFile(path, text);
    return dotenvProvider({ path }).get(name, context);
  };

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'strongroom-dotenv-'));
    path = join(directory, '.env');
  });
  after(() => rm(directory, { recursive: true }));

  const cases: [string, string, string | undefined][] = [
    ['a plain value', 'A=value', 'value'],
    ['an empty value', 'A=', ''],
    ['a name that is not there', 'B=value', undefined],
    [
      'a connection string',
      "A='mongodb://u:p%40ss@h:27017,h2/db?replicaSet=rs&w=majority#x'",
      'mongodb://u:p%40ss@h:27017,h2/db?replicaSet=rs&w=majority#x',
    ],
    ['a quoted PEM over several lines', `A="${PEM}"\nB=x`, PEM],
    ['a PEM on one line with \\n in double quotes', `A="${PEM.replaceAll('\n', '\\n')}"`, PEM],
    ['unicode', 'A=пароль-🔑', 'пароль-🔑'],
    ['an unquoted value with a comment, as dotenv does', 'A=x # y', 'x'],
    ['the first key after a byte order mark', '\uFEFFA=value', 'value'],
    ['CRLF line ends', 'B=1\r\nA=value\r\n', 'value'],
    ['an export', 'export A=value', 'value'],
  ];
  for (const [what, text, value] of cases)
    it(`reads ${what}`, async () => expect(await read(text, 'A')).to.equal(value));

  it('gives quoted values unchanged', async () => {
    const plain = fc.string({ unit: 'binary' }).filter((value) => !/['\r]|-----/.test(value));
    await fc.assert(
      fc.asyncProperty(plain, async (value) => {
        expect(await read(`A='${value}'\n`, 'A')).to.equal(value);
      }),
    );
  });

  it('takes names like __proto__ as names', async () => {
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty']) {
      expect(await read('A=1', name)).to.equal(undefined);
      expect(await read(`${name}='see __proto__ and proto___'`, name)).to.equal('see __proto__ and proto___');
    }
  });

  it('refuses a file with a PEM that is not quoted, for every name in it', async () => {
    for (const name of ['A', 'B', 'abc+/w']) {
      expect(await rejection(read(`B=x\nA=${PEM}\n`, name))).to.include({ code: 'UNQUOTED_PEM' });
    }
  });

  it('refuses a file that is missing, no file, too large or no UTF-8', async () => {
    const gone = dotenvProvider({ path: join(directory, 'gone') });
    expect(await rejection(gone.get('A', context))).to.include({ code: 'ENOENT' });
    expect(await rejection(dotenvProvider({ path: directory }).get('A', context))).to.include({ code: 'NOT_A_FILE' });
    expect(await rejection(read(Buffer.alloc(1024 * 1024 + 1, 0x41), 'A'))).to.include({ code: 'TOO_LARGE' });
    expect(await rejection(read(Buffer.from([0x41, 0x3d, 0xff]), 'A'))).to.include({ code: 'NOT_UTF8' });
  });

  it('reads the file anew at each fetch', async () => {
    await writeFile(path, 'A=one');
    const { manager } = open({ provider: dotenvProvider({ path }), ttl: 0 });
    expect(await manager.get('A')).to.equal('one');
    await writeFile(path, 'A=two');
    expect(await manager.get('A')).to.equal('two');
  });

  it('writes neither to process.env nor to the terminal', async () => {
    const before = JSON.stringify(process.env);
    const written: unknown[] = [];
    const { stdout, stderr } = process;
    const originals = [stdout.write, stderr.write] as const;
    stdout.write = stderr.write = (chunk: unknown) => written.push(chunk) > 0;
    try {
      await read('STRONGROOM_TEST_DOTENV=x', 'STRONGROOM_TEST_DOTENV');
    } finally {
      [stdout.write, stderr.write] = originals;
    }
    expect(written).to.deep.equal([]);
    expect(JSON.stringify(process.env)).to.equal(before);
  });

  it('is not safe for production and refuses unknown options', () => {
    expect(dotenvProvider().productionSafe).to.equal(false);
    expect(thrown(() => dotenvProvider({ file: 'x' } as DotenvProviderOptions)).message).to.match(
      /^dotenvProvider: option "file"/,
    );
    expect(thrown(() => dotenvProvider({ path: '' })).message).to.match(/^dotenvProvider\.path /);
  });
});
