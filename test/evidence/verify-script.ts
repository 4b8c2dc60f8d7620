/** The scripts in `examples/` that check an export: trails and attacks for them, and how they are run. They know nothing of how our own verifier works. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { generateKey } from '../../src/evidence/keys.js';
import type { LedgerDocument } from '../../src/evidence/ledger-document.js';
import { hashAt, leafHash, nodeHash } from '../../src/evidence/tree.js';
import { needCommand } from './foreign.js';
import { HonestTrail, streamNamed, writeFolder } from './honest.js';

/** What an export holds. */
export interface Folder {
  lines: string[];
  documents: LedgerDocument[];
  vkey: string;
}

/** What a script said. */
export interface Answer {
  code: number | null;
  text: string;
}

/** Trusted keys and an anchor, as they stand in their files. */
export interface Trust {
  keys?: string;
  anchor?: string;
}

/** One script, with a folder to run it in. */
export class VerifyScript {
  folder = '';
  readonly #path: string;

  constructor(name: string) {
    this.#path = resolve('examples', name);
  }

  /** Makes the folder; skips the suite where Python or openssl is missing. */
  async prepare(suite: Mocha.Context): Promise<void> {
    needCommand(suite, 'python3', ['--version']);
    needCommand(suite, 'openssl', ['version']);
    this.folder = await mkdtemp(join(tmpdir(), 'strongroom-python-'));
  }

  /** Removes it. */
  async remove(): Promise<void> {
    if (this.folder !== '') await rm(this.folder, { recursive: true });
  }

  /** Writes an export, and lets the script judge it. */
  async judge(parts: Folder, { keys, anchor }: Trust = {}): Promise<Answer> {
    await writeFolder(this.folder, parts);
    const [keyFile, anchorFile] = [join(this.folder, 'trusted.txt'), join(this.folder, 'anchor.txt')];
    await writeFile(keyFile, keys ?? `# ours\n${parts.vkey}\n`);
    await writeFile(anchorFile, anchor ?? '');
    return this.run([this.folder, keyFile, ...(anchor === undefined ? [] : [anchorFile])]);
  }

  run(args: readonly string[]): Promise<Answer> {
    return new Promise((settle) => {
      const running = execFile('python3', [this.#path, ...args], (_error, stdout, stderr) => {
        settle({ code: running.exitCode, text: stdout + stderr });
      });
    });
  }
}

/** What both scripts owe their users: no key of the folder's own is trusted, and what could not be checked is not called intact. */
export function believesOnlyGivenKeys(script: VerifyScript): void {
  it('believes only keys that are given to it', async () => {
    const parts = partsOf(await makeSmallTrail());
    const { vkey } = generateKey('audit.example/honest');
    for (const keys of [vkey, parts.vkey.replace('honest', 'other')])
      expect(await script.judge(parts, { keys }), keys)
        .to.include({ code: 1 })
        .and.to.have.property('text')
        .match(/no key that you trust/);
    for (const keys of [`${vkey}\n${parts.vkey} until=9 # the last one`, `\n${parts.vkey}\r\n`])
      expect(await script.judge(parts, { keys }), keys).to.include({ code: 0 });
  });

  it('says with 2 that it could not check', async () => {
    const parts = partsOf(await makeSmallTrail());
    expect((await script.judge(parts, { keys: 'nonsense' })).code).to.equal(2);
    expect((await script.judge({ ...parts, lines: ['nonsense'] })).code).to.equal(2);
    expect((await script.run([script.folder])).code).to.equal(2);
    expect((await script.run([join(script.folder, 'nowhere'), join(script.folder, 'trusted.txt')])).code).to.equal(2);
  });
}

/** The stream that goes on. */
export const A: string = streamNamed('A');
/** What someone does to an export, and how the full script tells it. */
export const ATTACKS: readonly (readonly [attack: string, change: (parts: Folder) => void, finding: RegExp])[] = [
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
  [
    'an event put in, with a leaf of its own',
    ({ lines, documents }) => {
      const line = renumber(lines[0]!, 0).replaceAll(A, streamNamed('C'));
      lines.push(line);
      change(documents, 6, 'leaves', () => leafHash(line));
    },
    /ledger#6: the leaves of its events are damaged$/m,
  ],
  [
    'inner nodes in the place of leaves',
    ({ documents }) =>
      change(documents, 2, 'leaves', (leaves) =>
        Buffer.concat([0, 2, 4, 6, 8].map((at) => nodeHash(hashAt(leaves, at), hashAt(leaves, at + 1)))),
      ),
    /ledger#2: the leaves of its events are damaged$/m,
  ],
  ['no ledger', ({ documents }) => documents.splice(0), /no key that you trust signed it$/m],
];
/** Two streams: A goes on after 20 events, B is closed after 5. */
export async function makeSmallTrail(first: number = 10): Promise<HonestTrail> {
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

/** Its export. */
export function partsOf(trail: HonestTrail): Folder {
  return { lines: trail.lines(), documents: [...trail.documents], vkey: trail.vkey };
}

function edit(lines: string[], index: number, [from, to]: [string, string]): void {
  lines[index] = lines[index]!.replace(from, to);
}

/** The line of an event under another number. */
export function renumber(line: string, sequence: number): string {
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
