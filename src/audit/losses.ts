/** Counts events that were lost for good, tells it on stderr and in `audit:lost`, and keeps what the trail must still be told. */
import type { HookBus } from '../hooks.js';
import type { Meta } from './store.js';

/** At most one report a second and reason: a flood of losses must not become a flood of reports. */
const REPORT_EVERY_MS = 1000;

interface Gap {
  lost: number;
  from: Date;
  to: Date;
}

/** The losses of one instance. */
export interface Losses {
  /** Events lost so far. */
  readonly total: number;
  /** Counts losses and reports them, the first at once, more of them once a second. `gap` false: the trail was told already. */
  note(reason: string, options?: { count?: number; gap?: boolean }): void;
  /** What the trail was not told yet, one `meta` per reason; forgotten by this call. */
  takeGaps(): Meta[];
  /** Reports what is held back, now. */
  report(): void;
}

/** Creates the counter of one instance. */
export function createLosses(hooks: HookBus): Losses {
  const gaps = new Map<string, Gap>();
  const unreported = new Map<string, number>();
  let total = 0;
  let timer: NodeJS.Timeout | undefined;

  function report(): void {
    clearTimeout(timer);
    timer = undefined;
    for (const [reason, count] of unreported) {
      unreported.delete(reason);
      const line = {
        level: 'error',
        package: 'express-strongroom',
        message: 'audit events were lost',
        lost: count,
        reason,
      };
      process.stderr.write(`${JSON.stringify(line)}\n`);
      hooks.emit('audit:lost', { count, reason });
    }
  }

  function schedule(): void {
    if (timer !== undefined) return;
    report();
    timer = setTimeout(report, REPORT_EVERY_MS);
    timer.unref();
  }

  return {
    get total() {
      return total;
    },
    note(reason, { count = 1, gap = true } = {}) {
      total += count;
      unreported.set(reason, (unreported.get(reason) ?? 0) + count);
      if (gap) widen(gaps, reason, count);
      schedule();
    },
    takeGaps() {
      const metas = [...gaps].map(([reason, { lost, from, to }]) => ({
        lost,
        reason,
        from: from.toISOString(),
        to: to.toISOString(),
      }));
      gaps.clear();
      return metas;
    },
    report,
  };
}

function widen(gaps: Map<string, Gap>, reason: string, count: number): void {
  const now = new Date();
  const gap = gaps.get(reason) ?? { lost: 0, from: now, to: now };
  gap.lost += count;
  gap.to = now;
  gaps.set(reason, gap);
}
