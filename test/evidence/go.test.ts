/** Our trails read by Go's own packages for its checksum database, theirs by us, and canonical text by an implementation of theirs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { readSigningKey, readVerifierKey } from '../../src/evidence/keys.js';
import { canonicalText } from '../../src/evidence/line.js';
import { judgeNote, readNote, signCheckpoint } from '../../src/evidence/note.js';
import { CompactRange, inclusionPath, leafHash, rootFromInclusion, rootOf } from '../../src/evidence/tree.js';
import { verifyEvidence } from '../../src/evidence/verify.js';
import { buildGo, printed } from './foreign.js';
import { makeHonestTrail, sourceOf, writeFolder } from './honest.js';

interface Made {
  skey: string;
  vkey: string;
  trees: { Size: number; Index: number; Root: string; Note: string; Path: string[] }[];
}

const NUMBERS = 300_000;
const NAME = 'go.example/log';

describe('Go (x/mod/sumdb and an RFC 8785 library)', () => {
  let go: string;
  let folder: string;

  before(async function build() {
    go = await buildGo(this);
    folder = await mkdtemp(join(tmpdir(), 'strongroom-export-'));
  });
  after(async () => {
    if (go !== undefined) await Promise.all([dirname(go), folder].map((path) => rm(path, { recursive: true })));
  });

  it('opens every checkpoint, recomputes every root, and proves consistency and inclusion', async function check() {
    this.timeout(60_000);
    const trail = await makeHonestTrail();
    await writeFolder(folder, { lines: trail.lines(), documents: trail.documents, vkey: trail.vkey });
    const proven = trail.lines().filter((_, index) => index % 97 === 0);
    for (const line of proven) {
      const { _id: id } = JSON.parse(line) as { _id: string };
      await writeFile(join(folder, `${id}.tlog-proof`), trail.prove(id));
    }
    const count = JSON.parse(await printed(go, ['check', folder])) as Record<string, number>;
    const entries = trail.documents.length;
    expect(count['checkpoints']).to.equal(entries).and.to.be.above(290);
    expect(count['consistency']).to.be.within(3 * entries - 6, 3 * entries);
    expect(count['inclusion']).to.equal(3 * entries);
    expect(count['segments']).to.equal(entries - 4);
    expect(count['events']).to.equal(trail.events.size).and.to.be.above(8000);
    const keys = [readVerifierKey(trail.vkey, 'key')];
    const now = new Date('2026-02-03T04:10:00Z');
    const report = await verifyEvidence(sourceOf(trail.lines(), trail.documents), { keys, now });
    expect(report.violations, 'our own verifier says the same').to.deep.equal([]);
    expect(report).to.include({ events: trail.events.size, entries });
    expect(count['proofs']).to.equal(proven.length).and.to.be.above(80);
  });

  it('finds what is wrong with a trail: that it can is what makes the check above worth something', async () => {
    const trail = await makeHonestTrail();
    const { documents, vkey } = trail;
    const wrong = join(folder, 'wrong');
    const edited = trail.lines().map((line, index) => (index === 99 ? line.replace('"USER"', '"ROOT"') : line));
    const peaks = documents.map((document) =>
      document._id === 6 ? { ...document, peaks: document.peaks.subarray(32) } : document,
    );
    for (const [parts, message] of [
      [{ lines: edited, documents }, /is another one/],
      [{ lines: trail.lines(), documents: documents.filter(({ _id }) => _id !== 5) }, /gap at 5/],
      [{ lines: trail.lines(), documents: peaks.slice(0, 9) }, /peaks at 6/],
    ] as const) {
      await writeFolder(wrong, { ...parts, vkey });
      const error = await printed(go, ['check', wrong]).then(() => undefined, String);
      expect(error).to.match(message);
    }
  });

  it('signs notes and makes trees that are read here', async () => {
    const { skey, vkey, trees } = JSON.parse(await printed(go, ['make', NAME])) as Made;
    const signer = readSigningKey(skey, 'key');
    const key = readVerifierKey(vkey, 'key');
    expect(signer.vkey).to.equal(vkey);
    const range = new CompactRange();
    const leaves: Buffer[] = [];
    for (const made of trees) {
      const leaf = leafHash(`record ${made.Size - 1}`);
      range.append(leaf);
      leaves.push(leaf);
      const note = readNote(made.Note);
      expect(note?.signatures).to.have.length(2);
      expect(note?.checkpoint).to.deep.equal({ origin: NAME, size: made.Size, root: range.root() });
      expect(range.root().toString('base64')).to.equal(made.Root);
      expect(rootOf(Buffer.concat(leaves)).equals(range.root())).to.equal(true);
      expect(judgeNote(note!, [key])).to.equal('trusted');
      // Ed25519 is deterministic: the same key says the same of the same bytes.
      const ours = await signCheckpoint(note!.checkpoint, signer);
      expect(ours.split('\n').at(-2)).to.equal(made.Note.split('\n').at(-2));
      const path = made.Path.map((hash) => Buffer.from(hash, 'base64'));
      expect(inclusionPath(Buffer.concat(leaves), made.Index)).to.deep.equal(path);
      const place = { leaf: leaves[made.Index]!, index: made.Index, size: made.Size };
      expect(rootFromInclusion(place, path)?.equals(range.root())).to.equal(true);
    }
    expect(trees).to.have.length(130);
  });

  it(`writes ${NUMBERS.toLocaleString('en')} random numbers as they are written here`, async function numbers() {
    this.timeout(60_000);
    const drawn = fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), 20_000);
    const all = [...drawn, ...drawn.map((value) => value * 1e-7), ...randomDoubles(NUMBERS - 2 * drawn.length)];
    const buffer = Buffer.alloc(8);
    const bits = all.map((value) => (buffer.writeDoubleBE(value), buffer.toString('hex')));
    const theirs = (await printed(go, ['write'], `${bits.join('\n')}\n`)).split('\n');
    expect(theirs).to.have.length(NUMBERS + 1);
    const different = all.findIndex((value, index) => canonicalText(value) !== theirs[index]);
    expect(different, `${bits[different]}: here ${all[different]}, there ${theirs[different]}`).to.equal(-1);
  });

  it('writes texts, keys and nested values as they are written here', async function values() {
    this.timeout(60_000);
    const text = fc.string({ unit: 'binary' });
    const values = fc.sample(
      fc.object({
        key: text,
        values: [text, fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean()],
      }),
      3000,
    );
    const all = [...values, ...everyUnit()].map((value) => JSON.parse(JSON.stringify(value)) as never);
    const theirs = (await printed(go, ['write'], `${all.map((value) => JSON.stringify(value)).join('\n')}\n`)).split(
      '\n',
    );
    expect(theirs).to.have.length(all.length + 1);
    const different = all.findIndex((value, index) => canonicalText(value) !== theirs[index]);
    expect(different, `here ${JSON.stringify(all[different])}, there ${theirs[different]}`).to.equal(-1);
  });
});

/** Doubles of random bits: every exponent is as likely. */
function* randomDoubles(count: number): Generator<number> {
  const bits = new DataView(new ArrayBuffer(8));
  for (let made = 0; made < count;) {
    bits.setUint32(0, Math.random() * 2 ** 32);
    bits.setUint32(4, Math.random() * 2 ** 32);
    const value = bits.getFloat64(0);
    if (!Number.isFinite(value)) continue;
    made += 1;
    yield value;
  }
}

/** Every code point of the first two planes, as text and as key, without the halves of pairs. */
function* everyUnit(): Generator<object> {
  for (let first = 0; first < 0x20000; first += 64) {
    const points = Array.from({ length: 64 }, (_, index) => first + index).filter(
      (point) => point < 0xd800 || point > 0xdfff,
    );
    const texts = points.map((point) => String.fromCodePoint(point));
    yield Object.fromEntries(texts.map((text) => [text, text]));
  }
}
