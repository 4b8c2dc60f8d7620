/** Every kind of violation and warning, each reached by one attack or accident, at its place, and no other violation with it. Pure: no database. */
import { expect } from 'chai';
import { generateKey, readSigningKey } from '../../src/evidence/keys.js';
import type { LedgerDocument } from '../../src/evidence/ledger-document.js';
import { signCheckpoint } from '../../src/evidence/note.js';
import { EMPTY_ROOT } from '../../src/evidence/tree.js';
import {
  makeTrail,
  sourceOf,
  type StoredEvent,
  streamAt,
  Trail,
  trusting,
  violationsOf,
  VKEYS,
  warningsOf,
} from './trail.js';

type Made = Awaited<ReturnType<typeof makeTrail>>;

const HOUR = 3_600_000;
const evil = generateKey('log.example/a');

function change(trail: Trail, n: number, given: Record<string, unknown>): void {
  trail.ledger[n] = { ...trail.ledger[n], ...given } as LedgerDocument;
}

function event(trail: Trail, id: unknown, given: Record<string, unknown> = {}): StoredEvent {
  const copy = { ...trail.events[0]!, _id: id, ...given } as StoredEvent;
  trail.events.push(copy);
  return copy;
}

/** What is done to a trail of `makeTrail`, and all that verification must say of it. */
type Attack = readonly [what: string, act: (trail: Made) => unknown, expected: (trail: Made) => string[]];

const ON_EVENTS: readonly Attack[] = [
  [
    'an event is edited',
    ({ a, ...trail }) => void (find(trail, `${a}.000000000003`)['actorId'] = 'someone'),
    ({ a }) => [`event-edited ${a}.000000000003`],
  ],
  [
    'an event is backdated',
    ({ a, ...trail }) => void (find(trail, `${a}.000000000004`)['at'] = new Date(0)),
    ({ a }) => [`event-edited ${a}.000000000004`],
  ],
  [
    'two events change places',
    (trail) => {
      const [x, y] = [trail.find(`${trail.b}.000000000002`), trail.find(`${trail.b}.000000000005`)];
      [x._id, y._id] = [y._id, x._id];
    },
    ({ b }) => [`event-edited ${b}.000000000002`, `event-edited ${b}.000000000005`],
  ],
  [
    'an event is deleted',
    (trail) => trail.delete(`${trail.a}.000000000000`),
    ({ a }) => [`event-missing ${a}.000000000000`],
  ],
  [
    'the last event that was sealed is deleted, and those behind it stay',
    (trail) => trail.delete(`${trail.c}.000000000020`),
    ({ c }) => [`event-missing ${c}.000000000020`],
  ],
  [
    'a whole stream is deleted',
    (trail) => {
      for (const { _id } of [...trail.events]) if (String(_id).startsWith(trail.b)) trail.delete(_id as string);
    },
    ({ b }) => Array.from({ length: 12 }, (_, index) => `event-missing ${b}.${String(index).padStart(12, '0')}`),
  ],
  [
    'an event is put behind the end of a stream',
    (trail) => event(trail, `${trail.a}.000000000018`),
    ({ a }) => [`event-inserted ${a}.000000000018`],
  ],
  [
    'an event is put far behind the tail',
    (trail) => event(trail, `${trail.c}.000000000999`),
    ({ c }) => [`event-inserted ${c}.000000000999`],
  ],
  [
    'an event that waits for its seal is deleted',
    (trail) => trail.delete(`${trail.c}.000000000022`),
    ({ c }) => [`event-missing ${c}.000000000022`],
  ],
  ['an event has a number for an _id', (trail) => event(trail, 17), () => ['event-inserted 17']],
  [
    'an event has an ObjectId',
    (trail) => event(trail, { toString: () => '65f000000000000000000001' }),
    () => ['event-inserted 65f000000000000000000001'],
  ],
  ['an event has a text for an _id', (trail) => event(trail, 'zzz'), () => ['event-inserted zzz']],
  [
    'an event is no canonical event',
    (trail) => void (trail.find(`${trail.a}.000000000001`)['meta'] = undefined),
    ({ a }) => [`event-malformed ${a}.000000000001`],
  ],
  [
    'events of an unknown stream are there',
    (trail) => {
      event(trail, `${streamAt(trail.now - HOUR, 7)}.000000000000`);
      event(trail, `${streamAt(trail.now - HOUR, 7)}.000000000001`);
    },
    ({ now }) => [`stream-unregistered ${streamAt(now - HOUR, 7)}.000000000000`],
  ],
  [
    'an unknown stream says that it begins in the future',
    (trail) => event(trail, `${streamAt(trail.now + HOUR, 7)}.000000000000`),
    ({ now }) => [`stream-unregistered ${streamAt(now + HOUR, 7)}.000000000000`],
  ],
  [
    'nobody seals the tail of a dead stream',
    (trail) => void (trail.now += HOUR),
    ({ c }) => ['21', '22', '23'].map((number) => `event-unsealed ${c}.0000000000${number}`),
  ],
];

const ON_LEDGER: readonly Attack[] = [
  ['an entry is deleted', (trail) => trail.ledger.splice(6, 1), () => ['ledger-gap ledger#6']],
  ['the first entries are deleted', (trail) => trail.ledger.splice(0, 2), () => ['ledger-gap ledger#0']],
  ['an entry stands twice', (trail) => trail.ledger.splice(3, 0, trail.ledger[3]!), () => ['ledger-gap ledger#3']],
  [
    'an entry is written with a space',
    (trail) => change(trail, 5, { entry: `${trail.ledger[5]!.entry} ` }),
    () => ['ledger-entry-malformed ledger#5'],
  ],
  [
    'someone who may insert takes the next number',
    (trail) => trail.ledger.push({ _id: trail.ledger.length, junk: 1 } as never),
    ({ ledger }) => [`ledger-entry-malformed ledger#${ledger.length - 1}`],
  ],
  [
    'a document has no number',
    (trail) => trail.ledger.unshift({ _id: 'x' } as never),
    () => ['ledger-entry-malformed ledger#x'],
  ],
  [
    'a note is cut',
    (trail) => change(trail, 4, { note: trail.ledger[4]!.note.slice(0, -9) }),
    () => ['ledger-note-malformed ledger#4'],
  ],
  [
    'an entry is edited',
    (trail) => change(trail, 0, { entry: trail.ledger[0]!.entry.replace('"host":"h"', '"host":"i"') }),
    () => ['ledger-root-mismatch ledger#0'],
  ],
  [
    'an older note stands in',
    (trail) => change(trail, 9, { note: trail.ledger[8]!.note }),
    () => ['ledger-root-mismatch ledger#9'],
  ],
  [
    'a signature is another one',
    (trail) =>
      change(trail, 3, {
        note: trail.ledger[3]!.note.split('\n\n')[0] + '\n\n' + trail.ledger[2]!.note.split('\n\n')[1],
      }),
    () => ['ledger-bad-signature ledger#3'],
  ],
  ['peaks are damaged', (trail) => change(trail, 6, { peaks: Buffer.alloc(96) }), () => ['ledger-peaks ledger#6']],
  [
    'a query copy says another stream',
    (trail) => change(trail, 6, { stream: trail.c }),
    () => ['ledger-index-field ledger#6'],
  ],
  ['a document has one member more', (trail) => change(trail, 6, { note2: '' }), () => ['ledger-index-field ledger#6']],
  [
    'leaves are damaged, and the events are what was sealed',
    (trail) => change(trail, 2, { leaves: Buffer.alloc(96, 1) }),
    () => ['leaves-damaged ledger#2'],
  ],
  ['leaves are gone', (trail) => change(trail, 3, { leaves: undefined }), () => ['leaves-damaged ledger#3']],
  [
    'leaves are where no event is',
    (trail) => change(trail, 0, { leaves: Buffer.alloc(32) }),
    () => ['leaves-damaged ledger#0'],
  ],
  [
    'leaves are damaged, and an event of theirs is edited',
    (trail) => {
      change(trail, 2, { leaves: Buffer.alloc(96, 1) });
      trail.find(`${trail.a}.000000000001`)['actorId'] = 'someone';
    },
    () => ['leaves-damaged ledger#2', 'segment-root ledger#2'],
  ],
];

/** With a signing key: what no honest writer appends. */
const BY_KEY_HOLDERS: readonly Attack[] = [
  [
    'a stream is opened twice',
    (trail) => trail.open(trail.c),
    ({ ledger }) => [`stream-reopened ledger#${ledger.length - 1}`],
  ],
  [
    'a closed stream is opened again',
    (trail) => trail.open(trail.a),
    ({ ledger }) => [`stream-reopened ledger#${ledger.length - 1}`],
  ],
  [
    'a closed stream is sealed',
    (trail) => trail.seal(trail.a),
    ({ ledger }) => [`seal-after-close ledger#${ledger.length - 1}`],
  ],
  [
    'a stream that was never opened is sealed',
    (trail) => trail.seal(trail.newStream()),
    ({ ledger }) => [`stream-unregistered ledger#${ledger.length - 1}`],
  ],
  [
    'a seal leaves numbers out',
    (trail) =>
      trail.append({
        kind: 'seal',
        by: trail.c,
        stream: trail.c,
        from: 30,
        count: 0,
        root: EMPTY_ROOT.toString('base64'),
      }),
    ({ ledger }) => [`segment-gap ledger#${ledger.length - 1}`],
  ],
  [
    'the time of the ledger goes back',
    (trail) => trail.append({ kind: 'prune', by: trail.c, through: 0 }, undefined, trail.now - 6001 - 1000),
    ({ ledger }) => [`time-regression ledger#${ledger.length - 1}`],
  ],
  [
    'an event is later than its seal',
    async (trail) => {
      trail.write(trail.c, 1, { at: new Date(trail.now + 5001) });
      await trail.seal(trail.c);
    },
    ({ c }) => [`event-time ${c}.000000000024`],
  ],
  [
    'a key that is not trusted signs',
    (trail) => resign(trail, evil.signingKey),
    ({ ledger }) => [`ledger-no-known-signature ledger#${ledger.length - 1}`],
  ],
];

describe('what verification says when', () => {
  for (const [what, act, expected] of [...ON_EVENTS, ...ON_LEDGER, ...BY_KEY_HOLDERS]) {
    it(what, async () => {
      const trail = await makeTrail();
      await act(trail);
      const report = await trail.verify();
      expect(violationsOf(report)).to.deep.equal(expected(trail));
      expect(report.intact).to.equal(false);
    });
  }

  it('junk stands far behind the ledger: it is named once, and what is appended meanwhile is still seen', async () => {
    const trail = await makeTrail();
    const source = sourceOf(trail);
    const apart = [
      { ...trail.ledger.at(-1)!, _id: 1e9, entry: 'junk' },
      { ...trail.ledger.at(-1)!, _id: 1e9 + 1, note: 'junk' },
      { ...trail.ledger.at(-1)!, _id: 1e9 + 2 },
      { ...trail.ledger.at(-1)!, _id: 0.5 + 1e9 },
    ];
    const ledger: typeof source.ledger = async function* (from) {
      yield* source.ledger(from);
      yield apart.map((document) => ({ document }));
    };
    const events: typeof source.events = async function* () {
      for await (const batch of source.events()) {
        await trail.prune(trail.c, trail.ledger.length - 2);
        yield batch;
      }
    };
    const report = await trail.verify({}, { ...source, ledger, events });
    expect(violationsOf(report)).to.deep.equal([
      'ledger-entry-malformed ledger#1000000000',
      'ledger-note-malformed ledger#1000000001',
      'ledger-root-mismatch ledger#1000000002',
      'ledger-entry-malformed ledger#1000000000.5',
    ]);
  });

  it('a retired key signs a larger log', async () => {
    const trail = await makeTrail();
    const last = trail.ledger.length - 1;
    const report = await trail.verify({ keys: trusting(`${VKEYS[0]} until=${last}`) });
    expect(violationsOf(report)).to.deep.equal([`ledger-retired-key ledger#${last}`]);
  });

  it('a key of another log signs, though it is trusted for that one', async () => {
    const trail = await makeTrail();
    trail.key = 2;
    await trail.append({ kind: 'prune', by: trail.c, through: 0 });
    const report = await trail.verify({ keys: trusting(...VKEYS) });
    expect(violationsOf(report)).to.deep.equal([`ledger-origin ledger#${trail.ledger.length - 1}`]);
  });

  it('stored bytes are not what the package writes, though they say the same', async () => {
    const trail = await makeTrail();
    const source = sourceOf(trail);
    const id = `${trail.a}.000000000002`;
    const events = async function* (): ReturnType<typeof source.events> {
      for await (const batch of source.events()) {
        yield batch.map((found) => (found.id === id ? { ...found, fault: 'event-type' as const } : found));
      }
    };
    expect(violationsOf(await trail.verify({}, { ...source, events }))).to.deep.equal([`event-type ${id}`]);
  });

  it('a line is not in its canonical form, though it says the same', async () => {
    const trail = await makeTrail();
    const source = sourceOf(trail);
    const id = `${trail.a}.000000000002`;
    const events = async function* (): ReturnType<typeof source.events> {
      for await (const batch of source.events()) {
        yield batch.map((found) => (found.id === id ? { ...found, preimage: `${found.preimage.toString()} ` } : found));
      }
    };
    expect(violationsOf(await trail.verify({}, { ...source, events }))).to.deep.equal([`event-type ${id}`]);
  });

  it('events are handed over out of order', async () => {
    const trail = await makeTrail();
    const source = sourceOf(trail);
    const events = async function* (): ReturnType<typeof source.events> {
      for await (const batch of source.events()) yield [...batch].reverse();
    };
    const kinds = new Set((await trail.verify({}, { ...source, events })).violations.map(({ kind }) => kind));
    expect([...kinds].sort()).to.deep.equal(['event-inserted', 'event-missing']);
  });

  it('more than a thousand events are gone: it lists a thousand and counts the rest', async () => {
    const trail = new Trail();
    const stream = await trail.open();
    trail.write(stream, 1500);
    await trail.seal(stream);
    trail.events.length = 0;
    const { violations } = await trail.verify();
    expect(violations).to.have.lengthOf(1000);
    expect(violations.at(-1)?.detail).to.match(/and 500 more of this kind$/);
    expect(violations.at(-2)?.detail).not.to.match(/more/);
  });

  it('the holder of the key appends nothing wrong, but an event is put in the tail of a stream that ended', async () => {
    const trail = new Trail();
    const stream = await trail.open();
    trail.write(stream, 2);
    await trail.seal(stream);
    trail.now += HOUR;
    event(trail, `${stream}.000000000002`);
    const report = await trail.verify();
    expect(violationsOf(report)).to.deep.equal([`event-unsealed ${stream}.000000000002`]);
    expect(warningsOf(report)).to.deep.equal(['stream-not-closed ledger#1']);
  });
});

function find(trail: Pick<Trail, 'events'>, id: string): StoredEvent {
  return trail.events.find(({ _id }) => _id === id)!;
}

/** The newest document with a note by another key. */
async function resign(trail: Trail, signingKey: string): Promise<void> {
  const last = trail.ledger.at(-1)!;
  const [origin = '', size = '', root = ''] = last.note.split('\n');
  const checkpoint = { origin, size: Number(size), root: Buffer.from(root, 'base64') };
  change(trail, last._id, { note: await signCheckpoint(checkpoint, readSigningKey(signingKey, 'key')) });
}
