/** Honest trails for tests, made by the rules of EVIDENCE.md and by no code of the sealer; and the source that hands them, or what an attack made of them, to the verifier. */
import { randomBytes } from 'node:crypto';
import { type Entry, type EntryDraft, eventId, placeEntry, readEventId, writeEntry } from '../../src/evidence/entry.js';
import { generateKey, readSigningKey, readVerifierKey, type VerifierKey } from '../../src/evidence/keys.js';
import { copiesOf, type LedgerDocument } from '../../src/evidence/ledger-document.js';
import { canonicalLine } from '../../src/evidence/line.js';
import { type Checkpoint, signCheckpoint } from '../../src/evidence/note.js';
import type { VerifyReport } from '../../src/evidence/report.js';
import type { EvidenceSource, FoundEntry, FoundEvent } from '../../src/evidence/source.js';
import { CompactRange, leafHash, rootOf } from '../../src/evidence/tree.js';
import { type VerifyEvidenceOptions, verifyEvidence } from '../../src/evidence/verify.js';
import { makeEvent } from '../audit/events.js';

export type StoredEvent = Record<string, unknown> & { _id: unknown };

const PAIRS = [generateKey('log.example/a'), generateKey('log.example/a'), generateKey('log.example/b')] as const;
/** Two keys of one log, and one of another. */
export const VKEYS: readonly string[] = PAIRS.map(({ vkey }) => vkey);

export function trusting(...texts: string[]): VerifierKey[] {
  return texts.map((text) => readVerifierKey(text, 'keys'));
}

function originOf(key: 0 | 1 | 2): string {
  return PAIRS[key].vkey.split('+')[0] as string;
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
export const START: number = Date.parse('2026-03-01T00:00:00.000Z');

/** A stream's name that begins then; `salt` tells streams of one moment apart. */
export function streamAt(ms: number, salt: number = 0): string {
  let text = '';
  for (let index = 0, rest = ms; index < 10; index += 1, rest = Math.floor(rest / 32))
    text = CROCKFORD[rest % 32] + text;
  return text + String(salt).padStart(16, '0');
}

/** A trail as it grows, with a clock of its own that only the test moves. */
export class Trail {
  readonly events: StoredEvent[] = [];
  readonly ledger: LedgerDocument[] = [];
  now: number = START;
  key: 0 | 1 | 2 = 0;
  readonly #range = new CompactRange();
  readonly #next = new Map<string, number>();
  readonly #sealed = new Map<string, number>();
  readonly #leaves = new Map<string, Buffer[]>();
  #streams = 0;

  /** A stream that began now. */
  newStream(): string {
    this.#streams += 1;
    return streamAt(this.now, this.#streams);
  }

  async open(stream: string = this.newStream()): Promise<string> {
    await this.append({ kind: 'open', by: stream, stream, host: 'h', app: null });
    return stream;
  }

  /** Stores events of a stream. */
  write(stream: string, count: number = 1, given: Record<string, unknown> = {}): string {
    let id = '';
    for (let index = 0; index < count; index += 1) {
      const sequence = this.#next.get(stream) ?? 0;
      this.#next.set(stream, sequence + 1);
      id = eventId(stream, sequence);
      const salt = randomBytes(16).toString('base64url');
      const event = { ...makeEvent({ _id: id, at: new Date(this.now), meta: { n: sequence }, salt }), ...given };
      this.events.push(event);
      this.#leaves.set(stream, [...(this.#leaves.get(stream) ?? []), leafHash(lineOf(event))]);
    }
    return id;
  }

  /** Seals what a stream has not sealed yet, or only the first of it. */
  async seal(
    stream: string,
    kind: 'seal' | 'close' | 'recover' | 'adopt' = 'seal',
    more: SealOptions = {},
  ): Promise<number> {
    const from = more.from ?? this.#sealed.get(stream) ?? 0;
    const leaves = Buffer.concat((this.#leaves.get(stream) ?? []).slice(from, from + (more.limit ?? Infinity)));
    const count = leaves.length / 32;
    this.#sealed.set(stream, from + count);
    const root = rootOf(leaves).toString('base64');
    return this.append({ kind, by: more.by ?? stream, stream, from, count, root }, leaves);
  }

  async append(draft: EntryDraft, leaves?: Buffer, at: number = this.now): Promise<number> {
    const n = this.ledger.length;
    const entry: Entry = placeEntry(draft, n, new Date(at));
    const text = writeEntry(entry);
    this.#range.append(leafHash(text));
    const note = await this.sign({ origin: originOf(this.key), size: n + 1, root: this.#range.root() });
    const document = { _id: n, ...copiesOf(entry), entry: text, note, peaks: Buffer.concat(this.#range.peaks) };
    this.ledger.push(leaves === undefined || leaves.length === 0 ? document : { ...document, leaves });
    return n;
  }

  /** A note by the key in use. */
  sign(checkpoint: Checkpoint): Promise<string> {
    return signCheckpoint(checkpoint, readSigningKey(PAIRS[this.key].signingKey, 'key'));
  }

  /** Events of segments up to a place are deleted, after the ledger says so. */
  async prune(by: string, through: number): Promise<void> {
    await this.append({ kind: 'prune', by, through });
    const entries = this.ledger
      .slice(0, through + 1)
      .map(({ entry }) => JSON.parse(entry) as Partial<Record<string, any>>);
    const gone = new Set(
      entries.flatMap(({ stream, from, count }) =>
        Array.from({ length: count ?? 0 }, (_, index) => eventId(stream, from + index)),
      ),
    );
    this.events.splice(0, this.events.length, ...this.events.filter(({ _id }) => !gone.has(_id as string)));
  }

  find(id: string): StoredEvent {
    return this.events.find(({ _id }) => _id === id)!;
  }

  delete(id: string): void {
    this.events.splice(this.events.indexOf(this.find(id)), 1);
  }

  verify(options: Partial<VerifyEvidenceOptions> = {}, source: EvidenceSource = sourceOf(this)): Promise<VerifyReport> {
    return verifyEvidence(source, { keys: trusting(VKEYS[0]!, VKEYS[1]!), now: new Date(this.now), ...options });
  }
}

export interface SealOptions {
  by?: string;
  from?: number;
  limit?: number;
}

/** The line of an event; of one that has none, what a database's source would give. */
function lineOf(event: StoredEvent): string {
  return canonicalLine(event);
}

function toFound(event: StoredEvent): FoundEvent {
  const id = typeof event._id === 'string' ? event._id : String(event._id);
  try {
    return { id, preimage: `\0${lineOf(event)}` };
  } catch {
    return { id, preimage: '\0', fault: 'event-malformed' };
  }
}

/** Foreign `_id`s stand where BSON's order of types puts them: numbers first, ObjectIds last. */
function rank(id: unknown): number {
  if (typeof id === 'number') return 0;
  return typeof id === 'string' ? 1 : 2;
}

function compare(a: StoredEvent, b: StoredEvent): number {
  const ranks = rank(a._id) - rank(b._id);
  if (ranks !== 0 || a._id === b._id) return ranks;
  return (a._id as string) < (b._id as string) ? -1 : 1;
}

/** The trail as a source; `batch` events at once. Entries and events that are added while it is read are seen as a database would show them. */
export function sourceOf(trail: Pick<Trail, 'events' | 'ledger'>, batch: number = 3): EvidenceSource {
  return {
    async *ledger(from) {
      const found = trail.ledger.filter(({ _id }) => from === undefined || _id >= from);
      for (let index = 0; index < found.length; index += batch) {
        yield found.slice(index, index + batch).map((document): FoundEntry => ({ document }));
      }
    },
    leaves: (numbers) => Promise.resolve(numbers.map((n) => trail.ledger.find(({ _id }) => _id === n)?.leaves)),
    async *events() {
      let last: StoredEvent | undefined;
      for (;;) {
        const sorted = [...trail.events].sort(compare);
        const place = last;
        const rest = place === undefined ? sorted : sorted.filter((event) => compare(event, place) > 0);
        const found = rest.slice(0, batch);
        last = found.at(-1);
        if (last === undefined) return;
        yield found.map(toFound);
      }
    },
    extent: () => Promise.resolve({ entries: trail.ledger.length, events: trail.events.length }),
  };
}

/** A trail of three streams: one closed, one dead and recovered, one alive with a tail; 30 entries and some 60 events. */
export async function makeTrail(): Promise<Trail & { a: string; b: string; c: string }> {
  const trail = new Trail();
  const a = await trail.open();
  const b = await trail.open();
  for (let round = 0; round < 4; round += 1) {
    trail.now += 1000;
    trail.write(a, 3 + round);
    trail.write(b, 2);
    await trail.seal(a);
    await trail.seal(b);
  }
  trail.write(b, 4);
  await trail.seal(a, 'close');
  const c = await trail.open();
  for (let round = 0; round < 7; round += 1) {
    trail.now += 60_000;
    trail.write(c, round);
    await trail.seal(c);
  }
  await trail.seal(b, 'recover', { by: c });
  trail.now += 1000;
  trail.write(c, 3);
  return Object.assign(trail, { a, b, c });
}

/** A trail, and what its honest processes do one after the other. */
export interface Living {
  trail: Trail;
  step: (choice: number, amount: number) => Promise<void>;
}

/** Streams that open, write, seal, beat, are recovered, close; time that passes; prunes; new keys. */
export async function live(steps: readonly (readonly [number, number])[]): Promise<Living> {
  const trail = new Trail();
  const open: string[] = [await trail.open()];
  const living: Living = { trail, step: (choice, amount) => act({ trail, open }, choice, amount) };
  for (const [choice, amount] of steps) await living.step(choice, amount);
  return living;
}

async function act({ trail, open }: { trail: Trail; open: string[] }, choice: number, amount: number): Promise<void> {
  const stream = open[choice % open.length]!;
  const other = open.find((name) => name !== stream);
  if (amount === 0) open.push(await trail.open());
  else if (amount < 4) trail.write(stream, amount);
  else if (amount < 6) await trail.seal(stream, 'seal', { limit: choice % 7 });
  else if (amount === 6 && other !== undefined) await trail.seal(stream, 'recover', { by: other });
  else if (amount === 7) {
    trail.now += choice % 20_000;
    // Whoever lives beats, so that nobody is dead.
    for (const name of open) await trail.seal(name, 'seal', { limit: 1 });
  } else if (amount === 8 && open.length > 1) {
    await trail.seal(stream, 'close');
    open.splice(open.indexOf(stream), 1);
  } else if (choice % 5 === 0) await trail.prune(stream, Math.floor((trail.ledger.length - 1) / 2));
  else trail.key = (choice % 2) as 0 | 1;
}

/** `kind where` of each violation. */
export function violationsOf({ violations }: VerifyReport): string[] {
  return violations.map(({ kind, where }) => `${kind} ${where}`);
}

/** `kind where` of each warning. */
export function warningsOf({ warnings }: VerifyReport): string[] {
  return warnings.map(({ kind, where }) => `${kind} ${where}`);
}

/** Stream and number, for tests that compare. */
export function placeOf(id: string): { stream: string; sequence: number } {
  return readEventId(id)!;
}
