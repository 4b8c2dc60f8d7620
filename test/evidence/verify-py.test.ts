/** `examples/verify.py`, run on honest export folders and on folders after each simple attack. It knows nothing of how our own verifier works. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { generateKey } from '../../src/evidence/keys.js';
import { type EntryDraft, readEntry } from '../../src/evidence/entry.js';
import type { LedgerDocument } from '../../src/evidence/ledger-document.js';
import { EMPTY_ROOT } from '../../src/evidence/tree.js';
import { needCommand } from './foreign.js';
import { HonestTrail, makeHonestTrail, streamNamed, writeFolder } from './honest.js';

const SCRIPT = resolve('examples/verify.py');

interface Folder {
  lines: string[];
  documents: LedgerDocument[];
  vkey: string;
}

interface Answer {
  code: number | null;
  text: string;
}

describe('examples/verify.py', () => {
  let folder: string;

  before(async function find() {
    needCommand(this, 'python3', ['--version']);
    needCommand(this, 'openssl', ['version']);
    folder = await mkdtemp(join(tmpdir(), 'strongroom-python-'));
  });
  after(() => (folder === undefined ? undefined : rm(folder, { recursive: true })));

  async function judge(parts: Folder, { keys, anchor }: { keys?: string; anchor?: string } = {}): Promise<Answer> {
    await writeFolder(folder, parts);
    const [keyFile, anchorFile] = [join(folder, 'trusted.txt'), join(folder, 'anchor.txt')];
    await writeFile(keyFile, keys ?? `# ours\n${parts.vkey}\n`);
    await writeFile(anchorFile, anchor ?? '');
    return runScript([folder, keyFile, ...(anchor === undefined ? [] : [anchorFile])]);
  }

  it('finds an honest trail intact: every kind of entry, segments of 0 to 5,000 events, a pruned part', async function big() {
    this.timeout(60_000);
    const trail = await makeHonestTrail();
    const parts = { lines: trail.lines(), documents: trail.documents, vkey: trail.vkey };
    const { code, text } = await judge(parts, { anchor: trail.documents[120]!.note });
    expect(text).to.equal(
      `${trail.events.size} events (0 not yet sealed), ${trail.documents.length} ledger entries, 0 faults\n`,
    );
    expect(code).to.equal(0);
  });

  it('finds the unsealed tail of a running stream intact, and counts it', async () => {
    const trail = await makeSmallTrail();
    trail.record('A', 2);
    const { code, text } = await judge(partsOf(trail));
    expect(text).to.match(/^27 events \(2 not yet sealed\)/);
    expect(code).to.equal(0);
  });

  it('finds an event intact whose stream began so short ago that the ledger need not know it yet', async () => {
    const trail = await makeSmallTrail();
    const young = streamAt(Date.parse(readEntry(trail.documents.at(-1)!.entry)!.at));
    const parts = partsOf(trail);
    const lines = [0, 1].map((sequence) => renumber(parts.lines[0]!, sequence).replaceAll(A, young));
    parts.lines = [...parts.lines, ...lines].sort();
    const { code, text } = await judge(parts);
    expect(text).to.match(/^27 events \(2 not yet sealed\), .* 0 faults$/m);
    expect(code).to.equal(0);
    const later = await judge({
      ...parts,
      lines: parts.lines.map((line) => line.replaceAll(young, streamAt(0))).sort(),
    });
    expect(later.text).to.match(/^0{26}\.000000000000: no seal covers it$/m);
  });

  for (const id of [7, null, { a: 1 }, ['x'], true])
    it(`finds a document whose _id is no text: ${JSON.stringify(id)}`, async () => {
      const parts = partsOf(await makeSmallTrail());
      parts.lines.unshift(JSON.stringify({ _id: id, bson: 'AA==' }));
      const { code, text } = await judge(parts);
      expect(text).to.match(/: no event of this package\n.* 1 faults$/m);
      expect(code).to.equal(1);
    });

  const A = streamNamed('A');
  const ATTACKS: readonly (readonly [attack: string, change: (parts: Folder) => void, finding: RegExp])[] = [
    [
      'an edited event',
      ({ lines }) => edit(lines, 3, ['"USER"', '"ROOT"']),
      new RegExp(`^${A}.000000000003: not as it was sealed$`, 'm'),
    ],
    [
      'a backdated event',
      ({ lines }) => edit(lines, 4, ['2026-02-03T', '2025-02-03T']),
      /000000000004: not as it was sealed$/m,
    ],
    ['a deleted event', ({ lines }) => lines.splice(5, 1), /000000000005: missing$/m],
    [
      'an event inserted with a number of its own',
      ({ lines }) => lines.splice(21, 0, renumber(lines[20]!, 77)),
      /000000000077: no seal covers it$/m,
    ],
    ['an event inserted again', ({ lines }) => lines.splice(6, 0, lines[6]!), /000000000006: not in its place$/m],
    [
      'an event of a stream that the ledger does not know',
      ({ lines }) => lines.push(renumber(lines[0]!, 0).replaceAll(A, streamNamed('Z'))),
      /ZZZ.000000000000: no seal covers it$/m,
    ],
    [
      'an event after the end of a closed stream',
      ({ lines }) => lines.push(renumber(lines[22]!, 5)),
      /BBB.000000000005: no seal covers it$/m,
    ],
    [
      'events in another order',
      ({ lines }) => lines.splice(7, 2, lines[8]!, lines[7]!),
      /000000000007: not in its place$/m,
    ],
    [
      'two events that changed their numbers',
      swapNumbers,
      /000000000009: not as it was sealed\n.*000000000010: not as it was sealed$/m,
    ],
    ['a tail of events cut off', ({ lines }) => lines.splice(18), /000000000018: missing$/m],
    ['a whole stream gone', ({ lines }) => lines.splice(0, 20), /000000000000: missing$/m],
    ['a ledger entry gone from the middle', ({ documents }) => documents.splice(3, 1), /ledger#3: missing$/m],
    [
      'a ledger entry that says something else',
      ({ documents }) => change(documents, 2, 'entry', (entry) => entry.replace('"count":10', '"count":11')),
      /ledger#2: the ledger up to here is not the one that was signed$/m,
    ],
    [
      'sealed leaves that are other ones',
      ({ documents }) => change(documents, 2, 'leaves', (leaves) => Buffer.from(leaves).fill(1, 0, 32)),
      /ledger#2: the leaves of its events are damaged$/m,
    ],
    [
      'sealed leaves taken away',
      ({ documents }) => change(documents, 2, 'leaves', () => undefined),
      /ledger#2: the leaves of its events are damaged$/m,
    ],
    ['no ledger', ({ documents }) => documents.splice(0), /no key that you trust signed it$/m],
  ];
  for (const [attack, change, finding] of ATTACKS)
    it(`finds ${attack}`, async () => {
      const parts = partsOf(await makeSmallTrail());
      change(parts);
      const { code, text } = await judge(parts);
      expect(text).to.match(finding);
      expect(code).to.equal(1);
    });

  const none = { count: 0, root: EMPTY_ROOT.toString('base64') } as const;
  const [B, C, Z] = [streamNamed('B'), streamNamed('C'), streamNamed('Z')];
  const WRONG_ENTRIES: Readonly<Record<string, EntryDraft>> = {
    'leaves numbers out': { kind: 'seal', by: A, stream: A, from: 21, ...none },
    'covers numbers again': { kind: 'seal', by: A, stream: A, from: 19, ...none },
    'goes on after the end of its stream': { kind: 'recover', by: A, stream: B, from: 5, ...none },
    'opens a stream again': { kind: 'open', by: C, stream: C, host: 'h', app: null },
    'is of a stream that nobody opened': { kind: 'seal', by: Z, stream: Z, from: 0, ...none },
  };
  for (const [what, draft] of Object.entries(WRONG_ENTRIES))
    it(`finds a signed entry that ${what}`, async () => {
      const trail = await makeSmallTrail();
      await trail.append(draft);
      const { code, text } = await judge(partsOf(trail));
      expect(text).to.match(/^ledger#9: not where .* goes on\n.* 1 faults$/m);
      expect(code).to.equal(1);
    });

  it('finds an unsealed event behind a number that is missing', async () => {
    const trail = await makeSmallTrail();
    trail.record('A', 3);
    const parts = partsOf(trail);
    parts.lines.splice(21, 1);
    const { code, text } = await judge(parts);
    expect(text).to.match(/AAA\.000000000022: no seal covers it\n27 events \(1 not yet sealed\)/);
    expect(code).to.equal(1);
  });

  it('finds events that the trail holds after its stream has long been silent', async () => {
    const trail = await makeSmallTrail();
    trail.record('A', 2);
    for (let second = 0; second < 301; second += 1) await trail.seal('C', 0);
    const { code, text } = await judge(partsOf(trail));
    expect(text).to.match(/AAA.000000000020: no seal covers it\n.*AAA.000000000021: no seal covers it$/m);
    expect(code).to.equal(1);
  });

  it('finds a ledger that is rolled back, or forked, by an anchor', async () => {
    const trail = await makeSmallTrail();
    const anchor = trail.documents.at(-1)!.note;
    const cut = { ...partsOf(trail), documents: trail.documents.slice(0, -1) };
    expect(await judge(cut, { anchor }))
      .to.include({ code: 1 })
      .and.to.have.property('text')
      .match(/ledger#8: cut off/);
    const other = await makeSmallTrail(9);
    expect(await judge(partsOf(other), { anchor }))
      .to.include({ code: 1 })
      .and.to.have.property('text')
      .match(/another one/);
    expect(await judge(partsOf(trail), { anchor })).to.include({ code: 0 });
  });

  it('believes only keys that are given to it, as long as they are valid', async () => {
    const parts = partsOf(await makeSmallTrail());
    const { vkey } = generateKey('audit.example/honest');
    for (const keys of [vkey, `${parts.vkey} until=8`, `${parts.vkey.replace('honest', 'other')}`])
      expect(await judge(parts, { keys }), keys)
        .to.include({ code: 1 })
        .and.to.have.property('text')
        .match(/no key that you trust/);
    for (const keys of [`${vkey}\n${parts.vkey} until=9 # the last one`, `\n${parts.vkey}\r\n`])
      expect(await judge(parts, { keys }), keys).to.include({ code: 0 });
  });

  it('says with 2 that it could not check', async () => {
    const parts = partsOf(await makeSmallTrail());
    expect((await judge(parts, { keys: 'nonsense' })).code).to.equal(2);
    expect((await judge({ ...parts, lines: ['nonsense'] })).code).to.equal(2);
    expect((await runScript([folder])).code).to.equal(2);
    expect((await runScript([join(folder, 'nowhere'), join(folder, 'trusted.txt')])).code).to.equal(2);
  });
});

/** Two streams: A goes on after 20 events, B is closed after 5. */
async function makeSmallTrail(first: number = 10): Promise<HonestTrail> {
  const trail = new HonestTrail();
  await trail.open('A');
  await trail.open('B');
  await trail.seal('A', first);
  await trail.seal('A', 0);
  await trail.seal('B', 3);
  await trail.seal('A', 10);
  await trail.open('C');
  await trail.cover('seal', 'C');
  trail.record('B', 2);
  await trail.cover('close', 'B');
  return trail;
}

function partsOf(trail: HonestTrail): Folder {
  return { lines: trail.lines(), documents: [...trail.documents], vkey: trail.vkey };
}

/** A stream that began then, by its ULID. */
function streamAt(ms: number): string {
  const digits = Array.from({ length: 10 }, (_, place) => Math.floor(ms / 32 ** (9 - place)) % 32);
  return digits
    .map((digit) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[digit])
    .join('')
    .padEnd(26, '0');
}

function edit(lines: string[], index: number, [from, to]: [string, string]): void {
  lines[index] = lines[index]!.replace(from, to);
}

function renumber(line: string, sequence: number): string {
  return line.replace(/\.\d{12}"/, `.${String(sequence).padStart(12, '0')}"`);
}

function swapNumbers({ lines }: Folder): void {
  [lines[9], lines[10]] = [renumber(lines[10]!, 9), renumber(lines[9]!, 10)];
}

function change<Name extends 'entry' | 'leaves'>(
  documents: LedgerDocument[],
  index: number,
  ...[name, to]: [Name, (value: NonNullable<LedgerDocument[Name]>) => LedgerDocument[Name]]
): void {
  const document = documents[index]!;
  documents[index] = { ...document, [name]: to(document[name]!) };
}

function runScript(args: readonly string[]): Promise<Answer> {
  return new Promise((settle) => {
    const running = execFile('python3', [SCRIPT, ...args], (_error, stdout, stderr) => {
      settle({ code: running.exitCode, text: stdout + stderr });
    });
  });
}
