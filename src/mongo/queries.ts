/** Reads the trail: majority, from the primary, bounded in time, on a named index. It knows no request for a page beyond its checked form. */
import type { Connection } from 'mongoose';
import type { AuditGroup, AuditStore, GroupRequest, PageRequest, StoreFilter } from '../audit/store.js';
import { AuditWriteError, QueryError, StrongroomError } from '../errors.js';
import type { AuditEvent } from '../event.js';
import type { Link } from './connection.js';
import { countPipeline, groupPipeline, hintFor, matchPage, NEWEST_FIRST } from './reads.js';
import { codeOf, describeError, SERVER_CODES } from './server-error.js';

type Db = NonNullable<Connection['db']>;
type Events = ReturnType<typeof eventsOf>;

/** How long a reader's query may take on the server. */
const QUERY_TIMEOUT_MS = 30_000;

/** What a majority holds, from the primary: never an event that a failover takes back. */
const OPTIONS = {
  readConcern: { level: 'majority' },
  readPreference: 'primary',
  maxTimeMS: QUERY_TIMEOUT_MS,
  // The driver's default is `{}`, whose inherited `constructor` it takes for "leave this array raw".
  fieldsAsRaw: Object.create(null) as Record<string, boolean>,
} as const;

/** Where to read. */
export interface QueryParts {
  readonly link: Link;
  readonly collection: string;
  /** Whether the index for tenants is kept. */
  readonly tenant: boolean;
}

/** Creates the reading half of a store. */
export function createQueries(parts: QueryParts): Pick<AuditStore, 'readBack' | 'find' | 'count' | 'aggregate'> {
  const { link, collection, tenant } = parts;

  async function read<T>(query: (source: Events) => Promise<T>): Promise<T> {
    try {
      return await query(eventsOf(await link.database(QUERY_TIMEOUT_MS), collection));
    } catch (error) {
      throw readError(error);
    }
  }

  /** Reads with the index named; where it is missing, since this user may not build it, the planner does what it can. */
  function readBy<T>(hint: object, query: (source: Events, named: object) => Promise<T>): Promise<T> {
    return read((source) =>
      query(source, { ...OPTIONS, ...hint }).catch((error: unknown) => {
        if (codeOf(error) !== SERVER_CODES.badValue) throw error;
        return query(source, OPTIONS);
      }),
    );
  }

  return {
    readBack: (ids) => read((source) => source.find({ _id: { $in: [...ids] } }, OPTIONS).toArray()),
    find: (page: PageRequest) =>
      readBy(hintFor(page, { tenant }), (source, named) =>
        source.find(matchPage(page), { ...named, sort: NEWEST_FIRST, limit: page.limit }).toArray(),
      ),
    count: (filter: StoreFilter) =>
      readBy(hintFor(filter, { tenant }), async (source, named) => {
        const [total] = await source.aggregate<{ count: number }>(countPipeline(filter), named).toArray();
        return total?.count ?? 0;
      }),
    aggregate: (request: GroupRequest) =>
      readBy(hintFor(request, { tenant, by: request.by }), async (source, named) =>
        (await source.aggregate<Group>(groupPipeline(request), named).toArray()).map(toGroup),
      ),
  };
}

function eventsOf(db: Db, collection: string) {
  return db.collection<AuditEvent>(collection);
}

interface Group {
  readonly _id: Record<string, string | null | Date>;
  readonly count: number;
}

function toGroup({ _id, count }: Group): AuditGroup {
  const { from, ...key } = _id;
  return { key: key as Record<string, string | null>, count, ...(from instanceof Date && { from }) };
}

function readError(error: unknown): Error {
  if (error instanceof StrongroomError) return error;
  if (codeOf(error) === SERVER_CODES.maxTimeExpired) {
    return new QueryError('QUERY_TIMEOUT', `the query took longer than ${QUERY_TIMEOUT_MS} ms`);
  }
  return new AuditWriteError('AUDIT_UNAVAILABLE', `the trail's MongoDB cannot be read: ${describeError(error)}`);
}
