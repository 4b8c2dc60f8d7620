/** When to seal: about once a second, at once under load, when asked, at the end; and what is told when it fails. It knows no request. */
import { eventId } from '../evidence/entry.js';
import { AuditWriteError, OptionsError, StrongroomError, warnOnce } from '../errors.js';
import type { AuditEvent } from '../event.js';
import { LedgerAlarmError, type RaiseAlarm } from './alarm.js';
import { AnchorKeeper } from './anchor-keeper.js';
import type { Anchor } from './anchors.js';
import type { ResolvedEvidenceOptions } from './evidence-options.js';
import type { LedgerStore } from './ledger-store.js';
import { Sealing } from './sealing.js';
import { SignerError, type Signing } from './signing.js';
import { inTime } from './time-limit.js';

/** What the sealer works with. */
export interface SealerParts {
  readonly store: LedgerStore;
  readonly options: ResolvedEvidenceOptions;
  readonly anchors: readonly Anchor[];
  readonly app: string | null;
  readonly raise: RaiseAlarm;
  /** The stream that events are written to, or will be. */
  readonly currentStream: () => string;
  /** Finds who signs; null: nobody, and that is allowed. */
  readonly findSigning: () => Promise<Signing | null>;
  /** How long `seal()` waits. */
  readonly timeoutMs: number;
  /** The clock, ms since 1970. */
  readonly now?: () => number;
  /** How many leaves of a stream are kept in memory. */
  readonly maxLeaves?: number;
  /** Sealing that is so far behind is an alarm. @defaultValue 30 seconds */
  readonly lagAlarmMs?: number;
}

/** What `ready()` tells of the evidence. */
export type EvidenceState = 'signed' | 'throwaway' | 'unsealed';

/** That many events do not wait for the next tick. */
const SEAL_AT_EVENTS = 4096;
/** What one live stream more adds to the interval: all together append at most 25 entries a second. */
const INTERVAL_PER_STREAM_MS = 40;
const LAG_ALARM_MS = 30_000;
/** The first event of a stream waits for its `open` no longer at a time. A signer has ended by then. */
const OPEN_TIMEOUT_MS = 10_000;
const ANCHOR_GRACE_MS = 1000;

/** Seals the streams of one instance. */
export class Sealer {
  readonly #parts: SealerParts;
  readonly #sealing: Sealing;
  readonly #anchors: AnchorKeeper;
  #signing: Promise<Signing | null> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The ledger takes one call at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  /** A run that has not begun: it will seal what is stored until it does. */
  #waiting: Promise<void> | undefined;
  #opening: { id: string; done: Promise<void> } | undefined;
  #isTicking = false;
  #unsealedSinceMs: number | undefined;
  #isClosed = false;
  #leftStream: string | null = null;
  /** Nobody signs, and that is allowed. */
  #isOff = false;

  constructor(parts: SealerParts) {
    const { store, raise, app, maxLeaves, currentStream, now = Date.now, options } = parts;
    this.#parts = parts;
    this.#anchors = new AnchorKeeper(parts.anchors);
    const { deadAfterMs } = options;
    this.#sealing = new Sealing({
      store,
      raise,
      app,
      maxLeaves,
      currentStream,
      now,
      deadAfterMs,
      anchors: this.#anchors,
    });
  }

  /**
   * Enters a stream into the ledger before its first event is stored: one that nobody opened cannot be told from one that was put in. False when the
   * database gave no answer. Never rejects: what else may be wrong with the ledger must not hold up recording.
   */
  async open(id: string): Promise<boolean> {
    if (this.#isOff || this.#isClosed) return true;
    if (this.#opening?.id !== id) this.#opening = { id, done: this.#inTurn(() => this.#open(id)) };
    const { done } = this.#opening;
    try {
      await inTime(done, OPEN_TIMEOUT_MS, () => unavailable('the stream could not be opened in time'));
      return true;
    } catch (error) {
      return codeOf(error) !== 'ERR_STRONGROOM_AUDIT_UNAVAILABLE' || error instanceof SignerError;
    }
  }

  /** Takes events that are stored, in the order of their numbers. Never throws. */
  add(events: readonly AuditEvent[]): void {
    if (this.#isOff) return;
    for (const event of events) this.#sealing.own(event._id.slice(0, event._id.indexOf('.'))).add(event);
    if (this.#isClosed) return;
    this.#unsealedSinceMs ??= performance.now();
    const unsealed = this.#sealing.streams.at(-1)?.unsealed ?? 0;
    if (unsealed >= SEAL_AT_EVENTS && !this.#isTicking) this.#tick();
    else this.#schedule();
  }

  /**
   * Says in the ledger that a stream of a dead process is not over, before events of it are stored that waited in a spool: they would be taken for put in.
   * False when the database gave no answer. Never rejects.
   */
  async openAdopted(id: string): Promise<boolean> {
    if (this.#isOff || this.#isClosed) return true;
    const done = this.#inTurn(async () => {
      const signing = await this.#findSigning();
      if (signing !== null && !this.#isClosed) await this.#sealing.openAdopted(id, signing);
    });
    try {
      await inTime(done, OPEN_TIMEOUT_MS, () => unavailable('the stream could not be opened in time'));
      return true;
    } catch (error) {
      this.#tell(error);
      return codeOf(error) !== 'ERR_STRONGROOM_AUDIT_UNAVAILABLE' || error instanceof SignerError;
    }
  }

  /** More events of a dead process's stream are stored: they are recovered at the next tick. Never throws. */
  addAdopted(id: string): void {
    this.#sealing.noteAdopted(id);
    this.#schedule();
  }

  /**
   * Finds the key and looks at the ledger, as the next seal would.
   * @throws AUDIT_KEY_MISSING; OPTIONS_INVALID for a damaged key; what reading the secret throws
   */
  async inspect(timeoutMs: number): Promise<EvidenceState> {
    const signing = await this.#findSigning();
    if (signing === null) return 'unsealed';
    try {
      await inTime(this.#seal(), timeoutMs, () => tooLate(timeoutMs));
      return signing.mode;
    } catch (error) {
      // Whoever may insert can spoil the ledger: an alarm, but no reason for the app not to start.
      this.#tell(error);
      return 'unsealed';
    } finally {
      // From now on the ledger is watched, also by a process that records nothing.
      this.#schedule();
    }
  }

  /**
   * Seals what is stored now.
   * @throws LEDGER_ALARM; AUDIT_KEY_MISSING; AUDIT_UNAVAILABLE when the database or the signer does not answer in time; AUDIT_WRITE_FAILED when the server
   * refuses the entry
   */
  async seal(): Promise<void> {
    const { timeoutMs } = this.#parts;
    try {
      await inTime(this.#seal(), timeoutMs, () => tooLate(timeoutMs));
    } catch (error) {
      this.#tell(error);
      throw error;
    }
  }

  /**
   * Seals the rest and closes the streams, as far as the time goes, but for one of which events are left in a spool. Never rejects: what stays open
   * another process recovers.
   */
  async close(timeoutMs: number, leftStream: string | null = null): Promise<void> {
    this.#isClosed = true;
    this.#leftStream = leftStream;
    clearTimeout(this.#timer);
    const deadline = performance.now() + timeoutMs;
    const isIdle = this.#sealing.streams.length === 0 && !this.#sealing.hasAdopted;
    const end = isIdle ? Promise.resolve() : this.#seal();
    await inTime(end, timeoutMs, () => tooLate(timeoutMs)).catch((error: unknown) => this.#tell(error));
    const leftMs = Math.max(deadline - performance.now(), ANCHOR_GRACE_MS);
    await inTime(this.#anchors.flush(), leftMs, () => tooLate(leftMs)).catch(() => undefined);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#isClosed || this.#isOff) return;
    const perStreamMs = INTERVAL_PER_STREAM_MS * this.#sealing.liveOthers;
    this.#timer = setTimeout(() => this.#tick(), Math.max(this.#parts.options.sealEveryMs, perStreamMs));
    // Events are stored already: sealing them is no reason to keep a process alive.
    this.#timer.unref();
  }

  #tick(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isTicking = true;
    this.#seal()
      .catch((error: unknown) => this.#tell(error))
      .finally(() => {
        this.#isTicking = false;
        this.#schedule();
      });
  }

  /** Whoever asks while a run is under way gets one that begins after it: that one began before what he stored. */
  #seal(): Promise<void> {
    this.#waiting ??= this.#inTurn(() => {
      this.#waiting = undefined;
      return this.#run();
    });
    return this.#waiting;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #run(): Promise<void> {
    const signing = await this.#findSigning();
    if (signing === null) {
      this.#isOff = true;
      this.#sealing.drop();
      return;
    }
    const startedMs = performance.now();
    try {
      if (this.#isClosed) this.#leaveStreams();
      await this.#sealing.run(signing, this.#isClosed);
    } finally {
      // What failed may have been something else than one's own seals.
      const isBehind = this.#sealing.streams.some(({ unsealed }) => unsealed > 0);
      if (!isBehind) this.#unsealedSinceMs = undefined;
    }
    if (this.#unsealedSinceMs !== undefined) this.#unsealedSinceMs = startedMs;
  }

  #leaveStreams(): void {
    for (const stream of this.#sealing.streams) if (stream.id !== this.#leftStream) stream.leave();
  }

  async #open(id: string): Promise<void> {
    try {
      const signing = await this.#findSigning();
      if (signing !== null && !this.#isClosed) await this.#sealing.open(this.#sealing.own(id), signing);
      this.#schedule();
    } catch (error) {
      // Asked for again, it is tried again.
      this.#opening = undefined;
      this.#tell(error);
      throw error;
    }
  }

  /** Asked once; again when the provider could not tell. */
  #findSigning(): Promise<Signing | null> {
    this.#signing ??= this.#parts.findSigning().catch((error: unknown) => {
      this.#signing = undefined;
      throw error;
    });
    return this.#signing;
  }

  /** Failures of sealing: an alarm, a warning once, or nothing but time that passes. */
  #tell(error: unknown): void {
    const { raise, lagAlarmMs = LAG_ALARM_MS } = this.#parts;
    if (error instanceof LedgerAlarmError) raise(error.alarm);
    if (error instanceof OptionsError || codeOf(error) === 'ERR_STRONGROOM_AUDIT_KEY_MISSING') {
      warnOnce('UNSEALED', `the audit trail is not sealed: ${(error as Error).message}`);
      return;
    }
    const stream = this.#sealing.streams.find(({ unsealed }) => unsealed > 0);
    const lagMs = this.#unsealedSinceMs === undefined ? 0 : performance.now() - this.#unsealedSinceMs;
    if (stream === undefined || lagMs < lagAlarmMs) return;
    const detail = `events are unsealed for ${Math.round(lagMs / 1000)} s: ${describe(error)}`;
    raise({ kind: 'seal-lag', where: eventId(stream.id, stream.next), detail });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof StrongroomError ? error.code : undefined;
}

/** Other errors may quote what they were given. */
function describe(error: unknown): string {
  return error instanceof StrongroomError ? error.message : 'sealing failed';
}

function unavailable(message: string): AuditWriteError {
  return new AuditWriteError('AUDIT_UNAVAILABLE', message);
}

function tooLate(timeoutMs: number): AuditWriteError {
  return unavailable(`the trail could not be sealed within ${Math.round(timeoutMs)} ms`);
}
