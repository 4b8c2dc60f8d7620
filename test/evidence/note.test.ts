/** Signed notes: every malformed form is refused, unknown signatures are ignored, and openssl verifies ours. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { generateKey, readSigningKey, readVerifierKey, type Signer } from '../../src/evidence/keys.js';
import { judgeNote, readNote, signCheckpoint, writeCheckpoint } from '../../src/evidence/note.js';
import { leafHash } from '../../src/evidence/tree.js';
import { needCommand, printed, skipWithout } from './foreign.js';

const ORIGIN = 'audit.example/note';
const root = leafHash('root');
const checkpoint = { origin: ORIGIN, size: 4711, root };
const BODY = `${ORIGIN}\n4711\n${root.toString('base64')}\n`;

const ours = generateKey(ORIGIN);
const signer = readSigningKey(ours.signingKey, 'key');
const key = readVerifierKey(ours.vkey, 'key');

/** A signature line of any name, key id and bytes. */
function lineOf(name: string, bytes: Buffer): string {
  return `— ${name} ${bytes.toString('base64')}\n`;
}

describe('evidence/note', () => {
  let note: string;
  let line: string;

  before(async () => {
    note = await signCheckpoint(checkpoint, signer);
    line = note.slice(BODY.length + 1);
  });

  it('writes a checkpoint, and a note around it, to the byte', () => {
    expect(writeCheckpoint(checkpoint)).to.equal(BODY);
    expect(note).to.match(
      /^audit\.example\/note\n4711\n[A-Za-z0-9+/]{43}=\n\n— audit\.example\/note [A-Za-z0-9+/]{91}=\n$/u,
    );
  });

  it('reads what it writes', () => {
    const read = readNote(note)!;
    expect(read.body).to.equal(BODY);
    expect(read.checkpoint).to.deep.equal(checkpoint);
    expect(read.signatures).to.have.length(1);
    expect(judgeNote(read, [key])).to.equal('trusted');
  });

  it('refuses to sign with a signer that gives something else than 64 bytes', async () => {
    for (const length of [0, 63, 65]) {
      const odd: Signer = { vkey: ours.vkey, sign: () => Promise.resolve(Buffer.alloc(length)) };
      const error = await signCheckpoint(checkpoint, odd).then(() => undefined, String);
      expect(error).to.contain('64 bytes');
    }
  });

  const BODIES: Readonly<Record<string, string>> = {
    'an extension line': `${BODY}extension\n`,
    'an empty line in the body': BODY.replace('\n4711', '\n\n4711'),
    'no root': `${ORIGIN}\n4711\n`,
    'a root of 31 bytes': `${ORIGIN}\n4711\n${root.subarray(1).toString('base64')}\n`,
    'a root of 33 bytes': `${ORIGIN}\n4711\n${Buffer.concat([root, root.subarray(31)]).toString('base64')}\n`,
    'a root whose base64 does not re-encode': BODY.replace('=\n', '\n'),
    'a root in another alphabet': `${ORIGIN}\n4711\n${'-'.repeat(43)}=\n`,
    'a size with a zero in front': BODY.replace('4711', '04711'),
    'a size with a sign': BODY.replace('4711', '+4711'),
    'a negative size': BODY.replace('4711', '-1'),
    'no size': BODY.replace('4711', ''),
    'a size beyond safe numbers': BODY.replace('4711', '9007199254740993'),
    'a size in another notation': BODY.replace('4711', '4e3'),
    'a space after the size': BODY.replace('4711', '4711 '),
    'no origin': BODY.replace(ORIGIN, ''),
    'a space in the origin': BODY.replace('audit.', 'audit '),
    'a plus in the origin': BODY.replace('audit.', 'audit+'),
    'a tab in the origin': BODY.replace('audit.', 'audit\t'),
    'line ends of Windows': BODY.replaceAll('\n', '\r\n'),
  };
  for (const [what, body] of Object.entries(BODIES))
    it(`refuses a body with ${what}`, () => {
      expect(readNote(`${BODY}\n${line}`), 'the same signature line under the right body').to.not.equal(undefined);
      expect(readNote(`${body}\n${line}`)).to.equal(undefined);
    });

  const SIGNATURES: Readonly<Record<string, (line: string) => string>> = {
    'no signature': () => '',
    'an empty signature line': () => '\n',
    'no line feed at the end': (good) => good.slice(0, -1),
    'another character for the line feed at the end': (good) => `${good.slice(0, -1)}x`,
    'a line feed more at the end': (good) => `${good}\n`,
    'text behind the end': (good) => `${good}and more`,
    'a hyphen for the dash': (good) => good.replace('—', '-'),
    'no dash': (good) => good.replace('— ', ''),
    'two spaces': (good) => good.replace('— ', '—  '),
    'a space at the end': (good) => good.replace('\n', ' \n'),
    'a carriage return': (good) => good.replace('\n', '\r\n'),
    'a name with a plus': (good) => good.replace(ORIGIN, 'audit+example'),
    'a name with a space of Unicode': (good) => good.replace(ORIGIN, 'audit\u00a0example'),
    'no name': (good) => good.replace(`${ORIGIN} `, ''),
    'base64 that does not re-encode': (good) => good.replace('=\n', '\n'),
    'base64 in another alphabet': (good) => good.replace(/ ([A-Za-z0-9+/])([^ ]*\n)$/u, ' -$2'),
    'no bytes beside the key id': () => lineOf(ORIGIN, Buffer.from('00000000', 'hex')),
    'a malformed line after a good one': (good) => `${good}— x\n`,
    '101 signatures': (good) => good.repeat(101),
  };
  for (const [what, change] of Object.entries(SIGNATURES))
    it(`refuses ${what}`, () => {
      const changed = change(line);
      expect(changed).to.not.equal(line);
      expect(readNote(`${BODY}\n${changed}`)).to.equal(undefined);
    });

  it('takes 100 signatures', () => {
    const read = readNote(`${BODY}\n${line.repeat(100)}`)!;
    expect(read.signatures).to.have.length(100);
    expect(judgeNote(read, [key])).to.equal('trusted');
  });

  it('ignores signatures of keys that it does not know, whatever their length, in any order', () => {
    const id = Buffer.from(key.id, 'hex');
    const strangers = [
      lineOf('witness.example/w1', Buffer.alloc(4 + 8 + 64, 7)),
      lineOf('pq.example', Buffer.alloc(4 + 2420, 7)),
      lineOf(ORIGIN, Buffer.alloc(68, 7)),
      lineOf('another.example', Buffer.concat([id, Buffer.alloc(64)])),
    ];
    for (const text of [`${strangers.join('')}${line}`, `${line}${strangers.join('')}`])
      expect(judgeNote(readNote(`${BODY}\n${text}`)!, [key])).to.equal('trusted');
    expect(judgeNote(readNote(`${BODY}\n${strangers.join('')}`)!, [key])).to.equal('unknown');
    expect(judgeNote(readNote(note)!, [])).to.equal('unknown');
  });

  it('takes a bad signature of a known key for bad, also beside a good one, also of another length', () => {
    const id = Buffer.from(key.id, 'hex');
    for (const bytes of [Buffer.alloc(64), Buffer.alloc(63), Buffer.alloc(65), Buffer.alloc(1)]) {
      const bad = lineOf(ORIGIN, Buffer.concat([id, bytes]));
      for (const text of [bad, bad + line, line + bad])
        expect(judgeNote(readNote(`${BODY}\n${text}`)!, [key])).to.equal('bad-signature');
    }
    const moved = readNote(note.replace('4711', '4712'))!;
    expect(judgeNote(moved, [key])).to.equal('bad-signature');
  });

  it('trusts a key until the log has that size', () => {
    const read = readNote(note)!;
    expect(judgeNote(read, [{ ...key, until: 4711 }])).to.equal('trusted');
    expect(judgeNote(read, [{ ...key, until: 4710 }])).to.equal('retired');
    expect(judgeNote(read, [{ ...key, until: 0 }])).to.equal('retired');
  });

  it('trusts a note of two keys when one of them is still valid, in any order', async () => {
    const next = generateKey(ORIGIN);
    const nextKey = readVerifierKey(next.vkey, 'key');
    const nextLine = (await signCheckpoint(checkpoint, readSigningKey(next.signingKey, 'key'))).slice(BODY.length + 1);
    const keys = [{ ...key, until: 1 }, nextKey];
    for (const text of [line + nextLine, nextLine + line])
      expect(judgeNote(readNote(`${BODY}\n${text}`)!, keys)).to.equal('trusted');
  });
});

describe("openssl, on a note's signature", () => {
  let folder: string;

  before(async function find() {
    needCommand(this, 'openssl', ['version']);
    const known = await printed('openssl', ['list', '-public-key-algorithms']).catch(String);
    if (!/ED25519/i.test(known)) skipWithout(this, 'Ed25519 of openssl', await printed('openssl', ['version']));
    folder = await mkdtemp(join(tmpdir(), 'strongroom-openssl-'));
  });
  after(() => (folder === undefined ? undefined : rm(folder, { recursive: true })));

  async function verifies(body: string, signature: Buffer): Promise<boolean> {
    const [pem, text, bytes] = ['key', 'body', 'signature'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(pem, key.publicKey.export({ format: 'pem', type: 'spki' }));
    await writeFile(text, body);
    await writeFile(bytes, signature);
    const args = ['pkeyutl', '-verify', '-pubin', '-inkey', pem, '-rawin', '-in', text, '-sigfile', bytes];
    return printed('openssl', args).then(
      (said) => said.includes('Verified Successfully'),
      () => false,
    );
  }

  it('says that it is good, and of another body that it is not', async () => {
    const { body, signatures } = readNote(await signCheckpoint(checkpoint, signer))!;
    expect(await verifies(body, signatures[0]!.bytes)).to.equal(true);
    expect(await verifies(body.replace('4711', '4712'), signatures[0]!.bytes)).to.equal(false);
  });
});
