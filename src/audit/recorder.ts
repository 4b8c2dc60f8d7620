/** From a draft to a queued event: what `record()` promises, its bounds and its end. It knows no request object and no database. */
import { AuditWriteError, OptionsError, StateError, warnOnce } from '../errors.js';
import type { AuditDraft, AuditEvent } from '../event.js';
import type { HookBus } from '../hooks.js';
import type { RaiseAlarm } from './alarm.js';
import { type Compose, type Composed, needsPseudonym } from './compose.js';
import type { Scope, ScopeStorage } from './context.js';
import { type DraftSnapshot, readAction, readDraft } from './draft.js';
import { filterDraft } from './draft-filters.js';
import { expectRecorded, type Settle } from './expectation.js';
import { type GapMeta, Losses } from './losses.js';
import { Failures } from './failures.js';
import type { ResolvedRecordingOptions } from './options.js';
import { type AdoptedStreams, Delivery } from './delivery.js';
import { countActs, tooLate } from './pending.js';
import { createWaitingEntry } from './outbox.js';
import { noRoom } from './queue.js';
import type { Origin, RecordDraft } from './recording.js';
import type { AuditStats } from './stats.js';
import type { AuditStore } from './store.js';
import type { IsStrict } from './strict-actions.js';
import { inTime, isInTime } from './time-limit.js';
import type { Vocabulary } from './vocabulary.js';

/** What the recorder works with. */
export interface RecorderParts {
  readonly store: AuditStore;
  readonly hooks: HookBus;
  readonly options: ResolvedRecordingOptions;
  readonly scopes: ScopeStorage;
  readonly compose: Compose;
  readonly vocabulary: Vocabulary;
  /** Takes what is stored, in the order of the numbers. MUST NOT throw. */
  readonly onStored: (events: readonly AuditEvent[]) => void;
  /** Makes a stream known before its first event is sent; false when that got no answer. MUST NOT reject. */
  readonly openStream: (id: string) => Promise<boolean>;
  /** What becomes of streams whose events dead processes left in the spool. @defaultValue nothing */
  readonly adopted?: AdoptedStreams;
  /** The trail's collection: a spool's directory may be shared by several. @defaultValue `'audit_events'` */
  readonly collection?: string;
  /** Tells that someone else writes under this stream's numbers. */
  readonly raise: RaiseAlarm;
  readonly isStrict: IsStrict | null;
  /** Redacts a text that is about to be shown. */
  readonly redactText: (text: string) => string;
  /** The key of the pseudonyms; null where there is none. Rejects when that could not be told. */
  readonly readPseudonymKey: () => Promise<string | null>;
}

/** What the spool is given at the end for what is not on disk yet. */
const KEEP_MS = 1000;

/** A draft on its way through filters and keys. */
interface Preparation {
  readonly snapshot: DraftSnapshot;
  readonly origin: Origin;
  readonly scope: Scope;
}

/** Records for one instance. */
export class Recorder {
  readonly #parts: RecorderParts;
  readonly #delivery: Delivery;
  readonly #losses: Losses;
  readonly #failures: Failures;
  readonly #preparing = new Set<Promise<unknown>>();
  #refused = 0;
  #closing: Promise<string | null> | undefined;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#losses = new Losses(parts.hooks);
    const createGap = (meta: GapMeta): Composed => this.#composeGap(meta);
    this.#delivery = new Delivery({ ...parts, losses: this.#losses, createGap });
    this.#failures = new Failures({
      limit: parts.options.failureLimit,
      isStrict: parts.isStrict,
      pending: this.#delivery.queue,
      onReleased: () => this.#delivery.start(),
      overflow: () => this.#overflow(),
    });
  }

  /** The stream that is written now. */
  get stream(): string {
    return this.#delivery.stream;
  }

  /** Takes a draft. */
  readonly record: RecordDraft = (draft, origin) => {
    const { recorded, settle } = expectRecorded();
    this.#accept(draft, origin, settle);
    return recorded;
  };

  /** Counts and tells acts that a witness knows of and cannot record; an `audit.gap` stands in the trail for them. */
  lose(reason: string, count: number = 1): void {
    this.#losses.note(reason, { count, gap: false });
    if (this.#closing !== undefined) return;
    const ignore = (): void => undefined;
    this.#enqueue(this.#composeGap({ lost: count, reason }), performance.now(), { resolve: ignore, reject: ignore });
  }

  /** Opens the spool, where there is one. Never rejects: recording goes on without it. */
  open(): Promise<void> {
    return this.#delivery.open();
  }

  /** Resolves when everything recorded so far is durable, and stored as far as MongoDB takes it; after `audit.timeout` the spool is enough, else it rejects with AUDIT_UNAVAILABLE. */
  async flush(): Promise<void> {
    const { timeoutMs } = this.#parts.options;
    if (!(await this.#settled(timeoutMs, () => this.#delivery.queue.durable()))) throw tooLate(timeoutMs);
  }

  /** Figures for health checks and dashboards. */
  stats(): AuditStats {
    const { queue, spooled, spoolBytes, recorded, lastDurableAt } = this.#delivery;
    const oldest = queue.oldestMs;
    return {
      pending: queue.size + this.#preparing.size + this.#failures.sums,
      pendingBytes: queue.bytes,
      oldestMs: oldest === undefined ? 0 : performance.now() - oldest,
      spooled,
      spoolBytes,
      recorded,
      refused: this.#refused,
      lost: this.#losses.total,
      lastDurableAt,
    };
  }

  /**
   * Takes nothing more, stores what waits until the deadline, and counts the rest as lost, unless it is in the spool. Gives the stream of which something is
   * left there; null: nothing is.
   */
  close(timeoutMs: number): Promise<string | null> {
    this.#closing ??= this.#finish(timeoutMs);
    return this.#closing;
  }

  async #finish(timeoutMs: number): Promise<string | null> {
    this.#delivery.hurry();
    const isDrained = await this.#settled(timeoutMs, () => this.#delivery.queue.drained());
    this.#delivery.stop();
    if (!isDrained) await this.#abandon();
    this.#losses.report();
    const { spooled, stream } = this.#delivery;
    await this.#delivery.close();
    if (spooled === 0) return null;
    warnOnce(
      'SPOOL_LEFT',
      `close() left ${spooled} audit events in the spool: they are stored by the next process that uses it`,
    );
    return stream;
  }

  async #abandon(): Promise<void> {
    this.#failures.release();
    const { queue } = this.#delivery;
    // A disk takes milliseconds; one that hangs must not hold the shut-down.
    await inTime(queue.keep(), KEEP_MS, () => tooLate(KEEP_MS)).catch(() => undefined);
    const left = queue.abandon();
    const error = new AuditWriteError('AUDIT_UNAVAILABLE', 'close() ended before MongoDB took the event');
    for (const entry of left) entry.reject(error);
    queue.wake();
    const count = countActs(left) + this.#preparing.size;
    if (count > 0) this.#losses.note('closed', { count, gap: false });
  }

  #accept(draft: AuditDraft, origin: Origin, settle: Settle): void {
    if (this.#closing !== undefined) {
      settle.reject(new StateError('CLOSED', 'the audit trail is closed'));
      return;
    }
    try {
      const scope = this.#parts.scopes.getStore() ?? { request: null, actor: null };
      const preparation = { snapshot: readDraft(draft, new Date()), origin, scope };
      this.#noteExplicit(preparation);
      this.#prepare(preparation, settle);
    } catch (error) {
      this.#refuse(draft, error, settle);
    }
  }

  /** An explicit event says it all: whatever else saw the same act in this request is silent. */
  #noteExplicit({ snapshot, origin, scope }: Preparation): void {
    if (origin.source !== 'api') return;
    const request = origin.request === undefined ? scope.request : origin.request;
    request?.sightings.noteExplicit(snapshot.action, snapshot.target ?? 'system', snapshot.targetId ?? null);
  }

  #prepare(preparation: Preparation, settle: Settle): void {
    const { hooks } = this.#parts;
    const acceptedMs = performance.now();
    const mustWait =
      hooks.filters('audit:draft').length > 0 || needsPseudonym(preparation.snapshot, preparation.origin.attempted);
    if (!mustWait) {
      this.#enqueue(this.#compose(preparation, null), acceptedMs, settle);
      return;
    }
    const prepared = this.#prepareSlowly(preparation).then(
      (composed) => composed && this.#enqueue(composed, acceptedMs, settle),
      (error: unknown) => settle.reject(error as Error),
    );
    this.#preparing.add(prepared);
    void prepared.finally(() => this.#preparing.delete(prepared));
  }

  /** Filters first, then the key: a filter may bring or remove what needs it. */
  async #prepareSlowly(preparation: Preparation): Promise<Composed> {
    const { hooks, isStrict } = this.#parts;
    const bytes = JSON.stringify(preparation.snapshot).length;
    if (!this.#delivery.queue.reserve(bytes)) throw this.#overflow();
    try {
      const snapshot = await filterDraft(preparation.snapshot, { hooks, isStrict });
      if (snapshot === null) {
        this.#refused += 1;
        throw new AuditWriteError('AUDIT_REFUSED', 'a filter "audit:draft" of this app refused the event');
      }
      const key = needsPseudonym(snapshot, preparation.origin.attempted) ? await this.#readKey() : null;
      return this.#compose({ ...preparation, snapshot }, key);
    } finally {
      this.#delivery.queue.release(bytes);
    }
  }

  async #readKey(): Promise<string | null> {
    try {
      return await this.#parts.readPseudonymKey();
    } catch {
      // The event matters more than its pseudonym; what was typed is left out.
      warnOnce('PSEUDONYM_KEY', 'the secret that keys pseudonyms could not be read: events go without them');
      return null;
    }
  }

  #compose({ snapshot, origin, scope }: Preparation, pseudonymKey: string | null): Composed {
    const request = origin.request === undefined ? scope.request : origin.request;
    const { source, attempted } = origin;
    const composed = this.#parts.compose(snapshot, { source, attempted, request, runAs: scope.actor, pseudonymKey });
    this.#parts.vocabulary.check(composed.event.action);
    return composed;
  }

  #composeGap(meta: GapMeta): Composed {
    const { reason } = meta;
    const snapshot = readDraft(
      { action: 'audit.gap', target: 'audit', status: 'error', reason, meta: { ...meta } },
      new Date(),
    );
    const scope = { request: null, actor: null };
    return this.#compose({ snapshot, origin: { source: 'system', request: null }, scope }, null);
  }

  #enqueue(composed: Composed, acceptedMs: number, settle: Settle): void {
    if (this.#failures.sum(composed, acceptedMs, settle)) return;
    const isNameless = this.#failures.limits(composed.event);
    if (!this.#delivery.queue.reserve(composed.bytes, isNameless)) return settle.reject(this.#overflow());
    this.#delivery.queue.push(createWaitingEntry(composed, settle, { acceptedMs, isNameless }));
    this.#delivery.start();
  }

  #overflow(): AuditWriteError {
    const { bound } = this.#delivery.queue;
    this.#losses.note(bound.reason);
    return noRoom(bound);
  }

  #refuse(draft: AuditDraft, error: unknown, settle: Settle): void {
    this.#refused += 1;
    const reason = error instanceof Error ? error : new OptionsError('the draft could not be read');
    warnOnce('DRAFT_INVALID', `an audit event was not recorded: ${this.#parts.redactText(reason.message)}`);
    this.#parts.hooks.emit('audit:failed', { draft: { action: readAction(draft) }, error: reason, retrying: false });
    settle.reject(reason);
  }

  /** Whether all that was accepted so far is through within the time. */
  #settled(timeoutMs: number, wait: () => Promise<void>): Promise<boolean> {
    const done = Promise.allSettled(this.#preparing).then(() => {
      this.#failures.release();
      return wait();
    });
    return isInTime(done, timeoutMs, () => this.#delivery.queue.acceptSpooled());
  }
}
