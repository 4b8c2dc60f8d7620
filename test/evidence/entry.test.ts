/** Entries of the ledger: their text to the byte, and everything that is not exactly an entry refused. */
import { expect } from 'chai';
import {
  type Entry,
  eventId,
  isSegmentEntry,
  isStream,
  placeEntry,
  readEntry,
  readEventId,
  streamTime,
  writeEntry,
} from '../../src/evidence/entry.js';
import { EMPTY_ROOT, leafHash } from '../../src/evidence/tree.js';

const BY = '01KGH0K9PA0000000000000000';
const OTHER = '01KGH0K9PA1111111111111111';
const ROOT = leafHash('x').toString('base64');
const AT = '2026-02-03T04:05:06.007Z';
const COMMON = { at: AT, by: BY, n: 9, v: 1 } as const;
const SEGMENT = { ...COMMON, stream: BY, from: 12, count: 3, root: ROOT } as const;

const ENTRIES: Readonly<Record<string, Entry>> = {
  open: { ...COMMON, kind: 'open', stream: BY, host: 'höst "1"', app: null },
  seal: { ...SEGMENT, kind: 'seal' },
  close: { ...SEGMENT, kind: 'close' },
  recover: { ...SEGMENT, kind: 'recover', stream: OTHER },
  adopt: { ...SEGMENT, kind: 'adopt', stream: OTHER },
  prune: { ...COMMON, kind: 'prune', through: 8 },
};

/** The text of a value, in the order of RFC 8785, whatever it holds. */
function textOf(value: object): string {
  return JSON.stringify(Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1))));
}

describe('evidence/entry', () => {
  it('writes an entry to the byte', () => {
    expect(writeEntry(ENTRIES['seal']!)).to.equal(
      `{"at":"${AT}","by":"${BY}","count":3,"from":12,"kind":"seal","n":9,"root":"${ROOT}","stream":"${BY}","v":1}`,
    );
    expect(writeEntry(ENTRIES['open']!)).to.equal(
      `{"app":null,"at":"${AT}","by":"${BY}","host":"höst \\"1\\"","kind":"open","n":9,"stream":"${BY}","v":1}`,
    );
  });

  for (const [kind, entry] of Object.entries(ENTRIES)) {
    it(`reads ${kind} back`, () => {
      expect(textOf(entry)).to.equal(writeEntry(entry));
      expect(readEntry(writeEntry(entry))).to.deep.equal(entry);
      expect(isSegmentEntry(entry)).to.equal('count' in entry);
    });

    it(`refuses ${kind} without any one of its members, or with one more`, () => {
      for (const name of Object.keys(entry)) {
        const { [name as 'n']: _gone, ...rest } = entry;
        expect(readEntry(textOf(rest)), name).to.equal(undefined);
        for (const odd of ['__proto__', 'toString', 'x'])
          expect(readEntry(textOf({ ...rest, [odd]: 1 })), `${odd} for ${name}`).to.equal(undefined);
      }
      for (const more of ['extra', 'through', 'from', 'app'].filter((name) => !(name in entry)))
        expect(readEntry(textOf({ ...entry, [more]: 1 })), more).to.equal(undefined);
    });

    it(`refuses ${kind} with a member of any other type`, () => {
      for (const name of Object.keys(entry))
        for (const odd of [null, true, 'x', '', 1.5, -1, [], {}, [entry[name as 'n']]])
          if (
            !(name === 'app' && (odd === null || typeof odd === 'string')) &&
            !(name === 'host' && typeof odd === 'string')
          )
            expect(readEntry(textOf({ ...entry, [name]: odd })), `${name}: ${JSON.stringify(odd)}`).to.equal(undefined);
    });
  }

  const seal = ENTRIES['seal']!;
  const CHANGES: Readonly<Record<string, object>> = {
    'another version': { v: 2 },
    'an unknown kind': { kind: 'unseal' },
    'a kind that every object inherits': { kind: 'constructor' },
    'seconds without milliseconds': { at: '2026-02-03T04:05:06Z' },
    'a time of another zone': { at: '2026-02-03T04:05:06.007+00:00' },
    'a day that is not': { at: '2026-02-30T04:05:06.007Z' },
    'an hour that is not': { at: '2026-02-03T24:00:00.000Z' },
    'a stream in small letters': { by: BY.toLowerCase(), stream: BY.toLowerCase() },
    'a stream with a letter that base 32 lacks': { by: BY.replace('G', 'U'), stream: BY.replace('G', 'U') },
    'a stream beyond 128 bits': { by: `8${BY.slice(1)}`, stream: `8${BY.slice(1)}` },
    'a seal by another stream': { by: OTHER },
    'more events than fit': { count: 65_537 },
    'a number beyond 12 digits': { from: 10 ** 12 - 2 },
    'a root of 31 bytes': { root: leafHash('x').subarray(1).toString('base64') },
    'a root that does not re-encode': { root: ROOT.slice(0, -1) },
    'another root for no events': { count: 0 },
  };
  for (const [what, members] of Object.entries(CHANGES))
    it(`refuses ${what}`, () => {
      expect(readEntry(textOf({ ...seal, ...members }))).to.equal(undefined);
    });

  it('takes the largest of everything, and the empty root for no events', () => {
    for (const members of [
      { count: 65_536 },
      { from: 10 ** 12 - 3 },
      { count: 0, root: EMPTY_ROOT.toString('base64') },
      { n: Number.MAX_SAFE_INTEGER },
    ])
      expect(readEntry(textOf({ ...seal, ...members })), JSON.stringify(members)).to.not.equal(undefined);
  });

  it('refuses recover and adopt by the stream itself, open by another one, prune of what is still to come', () => {
    for (const kind of ['recover', 'adopt'] as const)
      expect(readEntry(textOf({ ...ENTRIES[kind]!, stream: BY }))).to.equal(undefined);
    expect(readEntry(textOf({ ...ENTRIES['open']!, stream: OTHER }))).to.equal(undefined);
    expect(readEntry(textOf({ ...ENTRIES['prune']!, through: 9 }))).to.equal(undefined);
    expect(readEntry(textOf({ ...ENTRIES['prune']!, n: 0, through: 0 }))).to.equal(undefined);
  });

  it('refuses text that is not to the byte what writing gives', () => {
    const text = writeEntry(seal);
    const open = writeEntry(ENTRIES['open']!);
    const odd = [
      ` ${text}`,
      `${text}\n`,
      text.replace('{', '{ '),
      text.replace('"from":12', '"from":12.0'),
      text.replace('"from":12', '"from":1.2e1'),
      text.replace('"from":12', '"from":12,"from":12'),
      text.replace('"v":1', '"v":1,"v":1'),
      text.replace('"n":9', '"n":-0'),
      text.replace('seal', '\\u0073eal'),
      JSON.stringify(seal),
      open.replace('ö', '\\u00f6'),
      open.replace('ö', '\\ud800'),
      `\ufeff${text}`,
      `[${text}]`,
      '',
      'null',
      '1',
      '[]',
    ];
    for (const changed of odd) {
      expect(changed).to.not.equal(text);
      expect(readEntry(changed), changed).to.equal(undefined);
    }
  });

  it('gives an entry its place and time', () => {
    const { n: _n, at: _at, v: _v, ...draft } = ENTRIES['prune'] as Extract<Entry, { kind: 'prune' }>;
    expect(placeEntry(draft, 9, new Date(AT))).to.deep.equal(ENTRIES['prune']);
  });

  it('reads the ids of events that it gives, and no others', () => {
    expect(eventId(BY, 7)).to.equal(`${BY}.000000000007`);
    expect(readEventId(eventId(BY, 999_999_999_999))).to.deep.equal({ stream: BY, sequence: 999_999_999_999 });
    for (const id of [
      `${BY}.7`,
      `${BY}.0000000000007`,
      `${BY}000000000007`,
      `x${eventId(BY, 7)}`,
      `${eventId(BY, 7)}\n`,
      BY,
      '',
      null,
      7,
      { $gt: '' },
    ])
      expect(readEventId(id), JSON.stringify(id)).to.equal(undefined);
    expect(isStream(BY)).to.equal(true);
    expect(isStream(`${BY}\n`)).to.equal(false);
  });

  it('reads when a stream was opened', () => {
    expect(new Date(streamTime(BY)).toISOString()).to.match(/^2026-02-03T/);
    // The example of the ULID specification.
    expect(streamTime('01ARZ3NDEKTSV4RRFFQ69G5FAV')).to.equal(1_469_922_850_259);
    expect(streamTime(`7ZZZZZZZZZ${'0'.repeat(16)}`)).to.equal(2 ** 48 - 1);
  });
});
