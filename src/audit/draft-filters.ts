/** Asks the app's `audit:draft` filters, in order; none of them can lose an event by failing. */
import type { AuditDraft } from '../event.js';
import type { HookBus } from '../hooks.js';
import { type DraftSnapshot, readDraft } from './draft.js';
import type { IsStrict } from './strict-actions.js';

/** A filter that has not answered by then has failed. */
const FILTER_TIMEOUT_MS = 1000;
const HOOK = 'audit:draft';

/** Who is asked, and whom nobody may refuse. */
export interface FilterParts {
  readonly hooks: HookBus;
  /** A refusal of a strict action is void; null: no action is strict. */
  readonly isStrict: IsStrict | null;
}

/** The draft after all filters; null when one refused it. Never rejects. */
export async function filterDraft(
  snapshot: DraftSnapshot,
  { hooks, isStrict }: FilterParts,
): Promise<DraftSnapshot | null> {
  let current = snapshot;
  // Also when a filter has given it another name.
  const isRefusable = (): boolean => isStrict === null || !(isStrict(snapshot.action) || isStrict(current.action));
  for (const filter of [...hooks.filters(HOOK)]) {
    try {
      const answer = await inTime(async () => filter(toDraft(current)));
      if (answer === null && isRefusable()) return null;
      if (answer === null)
        throw new Error(`${snapshot.action} is strict: it is recorded although the filter refused it`);
      current = readDraft(answer, new Date());
    } catch (error) {
      // Skipped: recorded as it was before this filter.
      hooks.failed(HOOK, error);
    }
  }
  return current;
}

/** A copy: what a filter changes before it throws must not count. */
function toDraft(snapshot: DraftSnapshot): AuditDraft {
  return { ...snapshot, at: new Date(snapshot.at), meta: structuredClone(snapshot.meta) };
}

async function inTime<T>(ask: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${FILTER_TIMEOUT_MS} ms`)), FILTER_TIMEOUT_MS);
  });
  try {
    return await Promise.race([ask(), late]);
  } finally {
    clearTimeout(timer);
  }
}
