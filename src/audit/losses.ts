/** Counts events that were lost for good, tells it on stderr and in `audit:lost`, and keeps what the trail must still be told. */
import { tellOnStderr } from '../errors.js';
import type { HookBus } from '../hooks.js';

/** At most one report a second and reason: a flood of losses must not become a flood of reports. */
const REPORT_EVERY_MS = 1000;

/** The `meta` of an `audit.gap` event. */
export interface GapMeta {
  /** How many events are missing. */
  readonly lost: number;
  /** Why: `memory_full`, `spool_full`, `spool_damaged`, `spool_gone`, `poison`, `roles_unread`, `commit_unknown`. */
  readonly reason: string;
  /** When the first of them was lost, ISO 8601. */
  readonly from?: string;
  /** When the last of them was lost. */
  readonly to?: string;
}

interface Gap {
  lost: number;
  from: Date;
  to: Date;
}

/** The losses of one instance. */
export class Losses {
  readonly #hooks: HookBus;
  readonly #gaps = new Map<string, Gap>();
  readonly #unreported = new Map<string, number>();
  #total = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(hooks: HookBus) {
    this.#hooks = hooks;
  }

  /** Events lost so far. */
  get total(): number {
    return this.#total;
  }

  /** Counts losses and reports them, the first at once, more of them once a second. `gap` false: the trail was told already. */
  note(reason: string, { count = 1, gap = true }: { count?: number; gap?: boolean } = {}): void {
    this.#total += count;
    this.#unreported.set(reason, (this.#unreported.get(reason) ?? 0) + count);
    if (gap) widen(this.#gaps, reason, count);
    if (this.#timer !== undefined) return;
    this.report();
    this.#timer = setTimeout(() => this.report(), REPORT_EVERY_MS);
    this.#timer.unref();
  }

  /** What the trail was not told yet, one `meta` per reason; forgotten by this call. */
  takeGaps(): GapMeta[] {
    const metas = [...this.#gaps].map(([reason, { lost, from, to }]) => ({
      lost,
      reason,
      from: from.toISOString(),
      to: to.toISOString(),
    }));
    this.#gaps.clear();
    return metas;
  }

  /** Reports what is held back, now. */
  report(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [reason, count] of this.#unreported) {
      this.#unreported.delete(reason);
      tellOnStderr({ message: 'audit events were lost', lost: count, reason });
      this.#hooks.emit('audit:lost', { count, reason });
    }
  }
}

function widen(gaps: Map<string, Gap>, reason: string, count: number): void {
  const now = new Date();
  const gap = gaps.get(reason) ?? { lost: 0, from: now, to: now };
  gap.lost += count;
  gap.to = now;
  gaps.set(reason, gap);
}
