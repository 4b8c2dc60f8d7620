/** Proofs of single events: what they prove, and that no change of one byte leaves them proven. */
import { expect } from 'chai';
import fc from 'fast-check';
import { OptionsError } from '../../src/errors.js';
import { eventId, placeEntry, writeEntry } from '../../src/evidence/entry.js';
import { generateKey, readSigningKey, readVerifierKey } from '../../src/evidence/keys.js';
import { readNote, signCheckpoint } from '../../src/evidence/note.js';
import { checkProof, type ProvenEvent, readProof, writeProof } from '../../src/evidence/proof.js';
import { leafHash } from '../../src/evidence/tree.js';
import { HonestTrail, ORIGIN, streamNamed } from './honest.js';

const ID = eventId(streamNamed('A'), 21);

/** What a check says; undefined when the proof is refused as malformed. */
function check(text: string, line: string, vkeys: readonly string[]): ProvenEvent | undefined {
  try {
    return checkProof(
      readProof(text),
      line,
      vkeys.map((vkey) => readVerifierKey(vkey, 'key')),
    );
  } catch (error) {
    expect(error).to.be.instanceOf(OptionsError);
    return undefined;
  }
}

describe('evidence/proof', () => {
  let trail: HonestTrail;
  let line: string;
  let proof: string;

  before(async () => {
    trail = new HonestTrail();
    await trail.open('A');
    await trail.open('B');
    await trail.seal('A', 9);
    await trail.seal('A', 37);
    for (let count = 0; count < 6; count += 1) await trail.seal('B', count);
    line = trail.events.get(ID)!;
    proof = trail.prove(ID);
  });

  it('has the form of C2SP', () => {
    expect(proof).to.match(
      /^c2sp\.org\/tlog-proof@v1\nextra [A-Za-z0-9+/=]+\nindex 3\n([A-Za-z0-9+/]{43}=\n){4}\naudit\.example\/honest\n10\n/,
    );
    const extra = Buffer.from(/^extra (.*)$/m.exec(proof)![1]!, 'base64').toString();
    expect(Object.keys(JSON.parse(extra) as object)).to.deep.equal(['index', 'path', 'seal']);
  });

  it('comes back as it was', () => {
    const read = readProof(proof);
    expect(read).to.include({ index: 12, entry: 3 });
    expect(writeProof(read)).to.equal(proof);
  });

  it('proves every event of the trail', () => {
    for (const [id, text] of trail.events) {
      const { proven, detail, entry } = check(trail.prove(id), text, [trail.vkey])!;
      expect(detail).to.equal('');
      expect(proven).to.equal(true);
      expect(id).to.contain(entry.stream);
    }
    expect(trail.events.size).to.equal(61);
  });

  it('proves the only event of the only segment, without a path', async () => {
    const small = new HonestTrail();
    await small.seal('A', 1);
    const [[id, text]] = [...small.events] as [[string, string]];
    expect(readProof(small.prove(id)))
      .to.include({ index: 0, entry: 0 })
      .and.deep.include({ path: [], entryPath: [] });
    expect(check(small.prove(id), text, [small.vkey])).to.include({ proven: true });
  });

  it('does not prove another event, nor the event with any byte changed', () => {
    const other = trail.events.get(eventId(streamNamed('A'), 22))!;
    expect(check(proof, other, [trail.vkey])).to.deep.include({
      proven: false,
      detail: 'the event is not the one that was sealed',
    });
    for (const changed of [`${line}\n`, ` ${line}`, line.slice(0, -1), line.replace('USER', 'ROOT'), ''])
      expect(check(proof, changed, [trail.vkey])).to.include({ proven: false });
    expect(check(proof, line, [trail.vkey])).to.include({ proven: true });
  });

  it('is refused, or proves nothing, with any one bit of it flipped', function flip() {
    this.timeout(60_000);
    const bytes = Buffer.from(proof);
    for (let index = 0; index < bytes.length; index += 1) {
      const changed = Buffer.from(bytes);
      changed[index] = changed[index]! ^ (1 << (index % 8));
      const said = check(changed.toString(), line, [trail.vkey]);
      expect(said?.proven === true, `byte ${index}: ${changed.toString()}`).to.equal(false);
    }
  });

  it('is refused, or proves nothing, with a byte replaced, taken out, put in, or the end cut off', () => {
    const edit = fc.record({ index: fc.nat(proof.length - 1), gone: fc.nat(2), put: fc.string({ maxLength: 2 }) });
    fc.assert(
      fc.property(edit, ({ index, gone, put }) => {
        const changed = proof.slice(0, index) + put + proof.slice(index + gone);
        fc.pre(changed !== proof);
        expect(check(changed, line, [trail.vkey])?.proven === true, changed).to.equal(false);
        expect(check(proof.slice(0, index), line, [trail.vkey])?.proven === true).to.equal(false);
      }),
      { numRuns: 1500 },
    );
  });

  it('says what the key is worth', async () => {
    const details = (vkeys: readonly string[]): string | undefined => check(proof, line, vkeys)?.detail;
    expect(details([generateKey(ORIGIN).vkey])).to.equal('no trusted key signed the ledger');
    expect(details([`${trail.vkey} until=9`])).to.equal('the key that signed the ledger was retired before');
    expect(details([`${trail.vkey} until=10`])).to.equal('');
    expect(details([])).to.equal('no trusted key signed the ledger');
  });

  it('does not let the owner of one log vouch for another', async () => {
    const other = generateKey('other.example/log');
    const read = readProof(proof);
    const { checkpoint } = readNote(read.note)!;
    const note = await signCheckpoint(checkpoint, readSigningKey(other.signingKey, 'key'));
    const said = check(writeProof({ ...read, note }), line, [trail.vkey, other.vkey]);
    expect(said).to.deep.include({ proven: false, detail: 'no trusted key signed the ledger' });
  });

  it('does not prove by a seal that says another place than it has, whoever signed that', async () => {
    const wrong = new HonestTrail();
    wrong.record('A', 1);
    const stray = readProof(await proveAlone(wrong, 5));
    expect(check(writeProof(stray), wrong.lines()[0]!, [wrong.vkey])).to.deep.include({
      proven: false,
      detail: 'the seal is not in the signed ledger',
    });
    expect(check(await proveAlone(wrong, 0), wrong.lines()[0]!, [wrong.vkey])).to.include({ proven: true });
  });

  it('does not prove by a seal that stands elsewhere in the ledger, or is none', () => {
    const read = readProof(proof);
    const elsewhere = { ...read, entry: 4 };
    expect(check(writeProof(elsewhere), line, [trail.vkey])).to.deep.include({
      detail: 'the seal is not in the signed ledger',
    });
    for (const seal of [trail.documents[0]!.entry, '{}', '', `${read.seal} `])
      expect(check(writeProof({ ...read, seal }), line, [trail.vkey]), seal).to.equal(undefined);
  });

  const MALFORMED: Readonly<Record<string, (text: string) => string>> = {
    'another version': (text) => text.replace('@v1', '@v2'),
    'no extra': (text) => text.replace(/^extra .*\n/m, ''),
    'no index': (text) => text.replace(/^index .*\n/m, ''),
    'an index with a zero in front': (text) => text.replace('index 3', 'index 03'),
    'a negative index': (text) => text.replace('index 3', 'index -3'),
    'a step of 31 bytes': (text) => text.replace('index 3\n', `index 3\n${Buffer.alloc(31).toString('base64')}\n`),
    'a step whose base64 does not re-encode': (text) => text.replace(/=\n/, '\n'),
    'line ends of Windows': (text) => text.replaceAll('\n', '\r\n'),
    'no checkpoint': (text) => text.slice(0, text.indexOf('\n\n')),
    'nothing at all': () => '',
    ...withExtra('a member more in extra', (extra) => ({ also: 1, ...extra })),
    ...withExtra('a member less in extra', ({ index, path }) => ({ index, path })),
    ...withExtra('an index in extra that is a text', (extra) => ({ ...extra, index: '12' })),
    ...withExtra('an index in extra with a fraction', (extra) => ({ ...extra, index: 12.5 })),
    ...withExtra('a path in extra that is a text', (extra) => ({ ...extra, path: 'x' })),
    ...withExtra('null for extra', () => null),
    ...withExtra('members of extra in another order', ({ index, path, seal }) => ({ seal, index, path })),
  };
  for (const [what, change] of Object.entries(MALFORMED))
    it(`refuses a proof with ${what}`, () => {
      expect(change(proof)).to.not.equal(proof);
      expect(() => readProof(change(proof)) && checkProof(readProof(change(proof)), line, [])).to.throw(OptionsError);
    });
});

/** A proof by a ledger of one entry, which says that its place is `n`. */
async function proveAlone(trail: HonestTrail, n: number): Promise<string> {
  const stream = streamNamed('A');
  const root = leafHash(trail.lines()[0]!).toString('base64');
  const draft = { kind: 'seal', by: stream, stream, from: 0, count: 1, root } as const;
  const seal = writeEntry(placeEntry(draft, n, new Date(0)));
  const note = await trail.sign({ origin: ORIGIN, size: 1, root: leafHash(seal) });
  return writeProof({ index: 0, path: [], seal, entry: 0, entryPath: [], note });
}

interface Extra {
  index: unknown;
  path: unknown;
  seal: unknown;
}

function withExtra(what: string, change: (extra: Extra) => unknown): Record<string, (text: string) => string> {
  const replace = (_line: string, text: string): string => {
    const extra = JSON.parse(Buffer.from(text, 'base64').toString()) as Extra;
    return `extra ${Buffer.from(JSON.stringify(change(extra))).toString('base64')}`;
  };
  return { [what]: (text) => text.replace(/^extra (.*)$/m, replace) };
}
