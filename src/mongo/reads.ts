/** The trail's queries as MongoDB wants them: keyset pages and groups, each on an index. Pure: filters in, commands out. */
import type { GroupRequest, PageRequest, StoreFilter } from '../audit/store.js';
import { indexedFields, indexKey } from './indexes.js';

type Match = Record<string, unknown>;

/** Which index a query is made to use; left out: the planner knows best. */
type Hint = { hint?: Record<string, 1 | -1> };

/** Newest first; `_id` decides between events of the same millisecond. */
export const NEWEST_FIRST = { at: -1, _id: -1 } as const;

/** The filter of a page. */
export function matchPage(page: PageRequest): Match {
  const match = matchFilter(page);
  if (page.after === undefined) return match;
  const { at, id } = page.after;
  // The range on `at` beside the `$or` lets the index scan begin at the place instead of filtering from the newest on.
  return {
    ...match,
    at: { ...(match['at'] as object | undefined), $lte: at },
    $or: [{ at: { $lt: at } }, { _id: { $lt: id } }],
  };
}

/** The filter of a count or a group. */
function matchFilter({ equals, from, to }: StoreFilter): Match {
  const match: Match = {};
  for (const [field, value] of Object.entries(equals))
    match[field] = Array.isArray(value) ? { $in: value } : { $eq: value };
  if (from !== undefined || to !== undefined) {
    match['at'] = { ...(from && { $gte: from }), ...(to && { $lt: to }) };
  }
  return match;
}

/**
 * The index of the one indexed equality, else of the one grouped field, else of the time. The planner would decide by a trial of some 100
 * documents and keep its choice for other values. With several indexed equalities only it can know the rarer one.
 */
export function hintFor(filter: StoreFilter, options: { tenant: boolean; by?: readonly string[] }): Hint {
  const fields = indexedFields(options.tenant);
  const equal = Object.keys(filter.equals);
  const indexed = equal.filter((field) => fields.includes(field));
  if (indexed.length > 1) return {};
  const only = options.by?.length === 1 ? options.by[0] : undefined;
  const grouped = only !== undefined && fields.includes(only) && equal.length === 0 ? only : undefined;
  return { hint: indexKey(indexed[0] ?? grouped) };
}

/** The pipeline that counts. `countDocuments` would do the same, without saying so. */
export function countPipeline(filter: StoreFilter): object[] {
  return [{ $match: matchFilter(filter) }, { $group: { _id: null, count: { $sum: 1 } } }];
}

/** The pipeline that groups, largest first; equal counts in the order of their keys. */
export function groupPipeline(request: GroupRequest): object[] {
  const key: Match = Object.fromEntries(request.by.map((field) => [field, `$${field}`]));
  if (request.interval !== undefined) {
    key['from'] = { $dateTrunc: { date: '$at', unit: request.interval, timezone: 'UTC' } };
  }
  return [
    { $match: matchFilter(request) },
    { $group: { _id: key, count: { $sum: 1 } } },
    { $sort: { count: -1, _id: 1 } },
  ];
}
