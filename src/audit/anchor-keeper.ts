/** Hands checkpoints to the anchors, and compares what they keep with the ledger at start. An anchor that fails holds nothing back. */
import type { VerifierKey } from '../evidence/keys.js';
import { judgeNote, type Note, readNote } from '../evidence/note.js';
import { CompactRange, splitHashes } from '../evidence/tree.js';
import { LedgerAlarmError } from './alarm.js';
import { type Anchor, warnOfAnchor } from './anchors.js';
import type { LedgerStore } from './ledger-store.js';
import { inTime } from './time-limit.js';

/** The log that notes must be of. */
interface Log {
  readonly keys: readonly VerifierKey[];
  readonly origin: string;
}

/** An anchor that hangs is one that fails. */
const PUT_TIMEOUT_MS = 15_000;
/** The first event of a process waits for what its anchors say. */
const LATEST_TIMEOUT_MS = 2000;

/** The anchors of one instance. */
export class AnchorKeeper {
  readonly #anchors: readonly Anchor[];
  /** Anchors that are at work, and the note that each gets next. */
  readonly #busy = new Map<Anchor, Promise<void>>();
  #newest: string | null = null;

  constructor(anchors: readonly Anchor[]) {
    this.#anchors = anchors;
  }

  /** Hands over the newest note; one that is slow gets the newest there is when it is done. */
  put(note: string | null): void {
    if (note === null || note === this.#newest) return;
    this.#newest = note;
    for (const anchor of this.#anchors) {
      if (!this.#busy.has(anchor)) this.#busy.set(anchor, this.#feed(anchor));
    }
  }

  /** Waits for what is under way, then lets each anchor write what it holds back. */
  async flush(): Promise<void> {
    await Promise.all(this.#anchors.map((anchor) => this.#finish(anchor).catch(warnOfAnchor)));
  }

  /** What an anchor remembers must be in the ledger. @throws {@link LedgerAlarmError} ledger-truncated, ledger-forked */
  async compare(store: LedgerStore, log: Log): Promise<void> {
    for (const note of await Promise.all(this.#anchors.map(readLatest))) {
      if (note !== undefined && note.checkpoint.origin === log.origin && judgeNote(note, log.keys) === 'trusted') {
        await compareNote(note, store);
      }
    }
  }

  async #finish(anchor: Anchor): Promise<void> {
    await this.#busy.get(anchor);
    await anchor.flush?.();
  }

  async #feed(anchor: Anchor): Promise<void> {
    for (let given: string | null = null; given !== this.#newest;) {
      given = this.#newest;
      await this.#give(anchor, given as string);
    }
    this.#busy.delete(anchor);
  }

  /** One that hangs is told, and waited for: it takes one note at a time. */
  async #give(anchor: Anchor, note: string): Promise<void> {
    const timer = setTimeout(() => warnOfAnchor(hangs()), PUT_TIMEOUT_MS).unref();
    try {
      await anchor.put(note);
    } catch (error) {
      warnOfAnchor(error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** One that hangs must not keep the app from sealing. */
async function readLatest(anchor: Anchor): Promise<Note | undefined> {
  try {
    const text = await inTime(Promise.resolve(anchor.latest?.()), LATEST_TIMEOUT_MS, hangs);
    return typeof text === 'string' ? readNote(text) : undefined;
  } catch (error) {
    warnOfAnchor(error);
    return undefined;
  }
}

function hangs(): Error {
  return Object.assign(new Error('the anchor gave no answer'), { code: 'ETIMEDOUT' });
}

/** The peaks that stand beside an entry fold to the root of the ledger as it was then. */
async function compareNote({ checkpoint: { size, root } }: Note, store: LedgerStore): Promise<void> {
  if (size === 0) return;
  const [found] = await store.read(size - 1, 1);
  if (found?._id !== size - 1) {
    const newest = await store.newest();
    const where = `ledger#${typeof newest?._id === 'number' ? newest._id + 1 : 0}`;
    const detail = `an anchor knows ${size} entries of the ledger: it was rolled back`;
    throw new LedgerAlarmError({ kind: 'ledger-truncated', where, detail });
  }
  const peaks = Buffer.isBuffer(found.peaks) ? splitHashes(found.peaks) : undefined;
  if (peaks !== undefined && foldsTo(size, peaks, root)) return;
  const detail = 'an anchor knows another ledger of this size';
  throw new LedgerAlarmError({ kind: 'ledger-forked', where: `ledger#${size - 1}`, detail });
}

function foldsTo(size: number, peaks: readonly Buffer[], root: Buffer): boolean {
  try {
    return new CompactRange(size, peaks).root().equals(root);
  } catch {
    return false;
  }
}
