/** `strongroom prune`: retention. What is deleted, and in which order, is the library's. */
import { leaveTrace, type PruneTraceParts } from '../audit/prune-trace.js';
import { planPrune, prune, type PruningParts, type PrunePlan } from '../audit/pruning.js';
import { OptionsError } from '../errors.js';
import type { AuditEvent } from '../event.js';
import { insertEvent } from '../mongo/insert-event.js';
import { mayRemoveEvents, removeEvents } from '../mongo/remove-events.js';
import { type Call, type Command, COLLECTION_FLAG, JSON_FLAG, type Outcome, URI_FLAG, YES_FLAG } from './command.js';
import { assertConsent } from './consent.js';
import { type Place, withDatabase } from './database.js';
import { RefusalError } from './failure.js';
import { counted } from './output.js';
import { withProgress } from './progress.js';
import { openLedger, SIGNING_KEY } from './signing.js';

/** Deletes old events. */
export const pruneCommand: Command = {
  name: 'prune',
  summary: `deletes the events of old segments, after an entry in the ledger that says so; signs with ${SIGNING_KEY}`,
  flags: {
    uri: {
      ...URI_FLAG,
      help: 'MongoDB, as a user that may insert into the ledger and delete from the trail; default: MONGODB_URI',
    },
    collection: COLLECTION_FLAG,
    before: {
      value: 'DATE',
      isRequired: true,
      help: 'ISO 8601, a day (UTC) or a time with its zone; later events stay',
    },
    yes: YES_FLAG,
    json: JSON_FLAG,
  },
  run(call) {
    const before = readDate(call.flags.required('before'), new Date(call.now()));
    return withDatabase(call, (place) => run(call, place, before));
  },
};

const DAY = /^\d{4}-\d\d-\d\d$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;

/** A day that is not in its month, such as February 30, would be taken for another one. */
function readDate(text: string, now: Date): Date {
  const date = new Date(DAY.test(text) || TIME.test(text) ? text : Number.NaN);
  const day = new Date(`${text.slice(0, 10)}T00:00:00.000Z`);
  const isThere = !Number.isNaN(date.getTime()) && day.toISOString().startsWith(text.slice(0, 10));
  if (!isThere)
    throw new OptionsError('--before must be a day like 2026-01-31 or a time with its zone like 2026-01-31T12:00:00Z');
  if (date > now) throw new OptionsError('--before must not lie in the future');
  return date;
}

async function run(call: Call, place: Place, before: Date): Promise<Outcome> {
  const appending = await openLedger(call, place);
  // An entry that nothing follows would let anybody delete these events unnoticed.
  if (!(await mayRemoveEvents(place.db, place.collection))) {
    throw new RefusalError('this user may not delete; nothing was done');
  }
  const remove = (ids: readonly string[]): Promise<number> => removeEvents(place.db, place.collection, ids);
  const parts: PruningParts = { ...appending, remove };
  const plan = await planPrune(parts, before);
  if (plan.through < 0) return report(before, plan, 0);
  await assertConsent(call, describe(before, plan));
  const insert = (event: AuditEvent): Promise<void> => insertEvent(place.db, place.collection, event);
  const trace: PruneTraceParts = { ...appending, insert, now: call.now };
  const deleted = await withProgress(call, 'prune', (update) => {
    let done = 0;
    const onProgress = (count: number): void => update({ done: (done += count), total: plan.covered });
    return prune({ ...parts, onProgress }, plan);
  });
  // The same again, with nothing left to do, leaves no second trace.
  if (deleted > 0 || !plan.isEntered) await leaveTrace(trace, { before, through: plan.through, deleted });
  return report(before, plan, deleted);
}

function describe(before: Date, { through, covered, isEntered }: PrunePlan): string {
  const said = isEntered
    ? 'an earlier prune said so already, what is left of them'
    : 'an entry in the ledger will say so, and they';
  return `${counted(covered, 'event')} before ${before.toISOString()}, in the segments up to entry ${through} of the ledger: ${said} would be deleted for good`;
}

function report(before: Date, { through, covered }: PrunePlan, deleted: number): Outcome {
  const result = { before: before.toISOString(), through: through < 0 ? null : through, covered, deleted };
  const text =
    through < 0
      ? `nothing to prune: no segment lies wholly before ${result.before}\n`
      : `${counted(deleted, 'event')} deleted, in the segments up to entry ${through} of the ledger\n`;
  return { code: 0, result, text };
}
