/** What a reader may ask: checked filters, pages and groups. Only text and dates pass, so nothing that a client sends becomes an operator. */
import { createHash } from 'node:crypto';
import { QueryError } from '../errors.js';
import type { AuditStatus } from '../event.js';
import { isRecord, kindOf, unknownName, unknownWord } from '../settings.js';
import { type GroupRequest, type PageRequest, type Position, STATUSES, type StoreFilter } from './store.js';

/** Which events; all members together. */
export interface AuditFilter {
  /** Who did it; null: events of nobody proven. */
  actorId?: string | null | undefined;
  /** What was done; a list of 1 to 50 means any of them. */
  action?: string | readonly string[] | undefined;
  /** Type of the resource. */
  target?: string | undefined;
  /** Id of the resource. */
  targetId?: string | undefined;
  /** How it ended. */
  status?: AuditStatus | undefined;
  /** The client's address; not indexed. */
  ipAddress?: string | undefined;
  /** Label of the request; not indexed. */
  requestId?: string | undefined;
  /** Which tenant; indexed with the option `audit.tenant`. */
  tenantId?: string | undefined;
  /** From then on, inclusive: a Date or ISO 8601 text, UTC when it names no offset. */
  from?: Date | string | undefined;
  /** Before then, exclusive. */
  to?: Date | string | undefined;
}

/** Which page of which events. */
export interface AuditQuery extends AuditFilter {
  /** How many events at the most, 1 to 1000. @defaultValue 50 */
  limit?: number | undefined;
  /** `next` of the page before; bound to its filter, not to its limit; valid at every instance. */
  cursor?: string | undefined;
}

/** A field that can make groups. */
export type GroupField =
  'action' | 'actorId' | 'actorRole' | 'target' | 'targetId' | 'status' | 'ipAddress' | 'tenantId';

/** Which groups of which events. */
export interface AuditGrouping extends AuditFilter {
  /** The fields that make a group. */
  by: readonly GroupField[];
  /** Also by hour or day, UTC. */
  interval?: 'hour' | 'day' | undefined;
}

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;
/** Up to 200 values the server merges sorted index scans; 50 leave room for other members. */
const MAX_ACTIONS = 50;
const MAX_TEXT = 1024;

const FILTER_MEMBERS: readonly (keyof AuditFilter)[] = Object.keys({
  actorId: 0,
  action: 0,
  target: 0,
  targetId: 0,
  status: 0,
  ipAddress: 0,
  requestId: 0,
  tenantId: 0,
  from: 0,
  to: 0,
} satisfies Record<keyof AuditFilter, 0>) as (keyof AuditFilter)[];

const GROUP_FIELDS: readonly GroupField[] = Object.keys({
  action: 0,
  actorId: 0,
  actorRole: 0,
  target: 0,
  targetId: 0,
  status: 0,
  ipAddress: 0,
  tenantId: 0,
} satisfies Record<GroupField, 0>) as GroupField[];

const TEXT_MEMBERS = ['target', 'targetId', 'ipAddress', 'requestId', 'tenantId'] as const;

/** Checks a filter. @throws {@link QueryError} QUERY_INVALID */
export function readFilter(filter: unknown, path: string = 'query'): StoreFilter {
  const members = readMembers(filter, path, FILTER_MEMBERS);
  const equals: Record<string, string | null | readonly string[]> = {};
  if (members['actorId'] !== undefined) {
    equals['actorId'] = members['actorId'] === null ? null : readText(members['actorId'], `${path}.actorId`);
  }
  if (members['action'] !== undefined) equals['action'] = readActions(members['action'], `${path}.action`);
  for (const name of TEXT_MEMBERS) {
    if (members[name] !== undefined) equals[name] = readText(members[name], `${path}.${name}`);
  }
  if (members['status'] !== undefined) {
    equals['status'] = readWord(members['status'], `${path}.status`, STATUSES);
  }
  return { equals, from: readTime(members['from'], `${path}.from`), to: readTime(members['to'], `${path}.to`) };
}

/** Checks a page request. @throws {@link QueryError} QUERY_INVALID */
export function readQuery(query: unknown = {}): PageRequest {
  const {
    limit = DEFAULT_LIMIT,
    cursor,
    ...rest
  } = readMembers(query, 'query', [...FILTER_MEMBERS, 'limit', 'cursor']);
  if (!Number.isInteger(limit) || (limit as number) < 1 || (limit as number) > MAX_LIMIT) {
    throw invalid(`query.limit must be a whole number from 1 to ${MAX_LIMIT}, got ${kindOf(limit)}`);
  }
  const filter = readFilter(rest);
  return { ...filter, limit: limit as number, after: cursor === undefined ? undefined : readCursor(cursor, filter) };
}

/** Checks a grouping. @throws {@link QueryError} QUERY_INVALID */
export function readGrouping(grouping: unknown): GroupRequest {
  const { by, interval, ...rest } = readMembers(grouping, 'aggregate', [...FILTER_MEMBERS, 'by', 'interval']);
  if (!Array.isArray(by))
    throw invalid(`aggregate.by must be an array of ${GROUP_FIELDS.join(', ')}, got ${kindOf(by)}`);
  const fields = by.map((field: unknown, index) => readWord(field, `aggregate.by[${index}]`, GROUP_FIELDS));
  if (new Set(fields).size < fields.length) throw invalid('aggregate.by names a field twice');
  if (fields.length === 0 && interval === undefined) throw invalid('aggregate.by is empty and there is no interval');
  const every =
    interval === undefined ? undefined : readWord<'hour' | 'day'>(interval, 'aggregate.interval', ['hour', 'day']);
  return { ...readFilter(rest, 'aggregate'), by: fields, interval: every };
}

/** The text by which the next page is asked for: a place, and a checksum over it and its filter. */
export function writeCursor({ at, id }: Position, filter: StoreFilter): string {
  const place = `${at.getTime()}|${id}`;
  return Buffer.from(`${place}|${checksum(place, filter)}`, 'utf8').toString('base64url');
}

function readCursor(cursor: unknown, filter: StoreFilter): Position {
  const encoded = readText(cursor, 'query.cursor');
  const bytes = Buffer.from(encoded, 'base64url');
  const text = bytes.toString('utf8');
  const cut = text.lastIndexOf('|');
  const place = text.slice(0, Math.max(0, cut));
  // Node's decoder passes over what is no base64url: one cursor must have one spelling.
  const isWhole = bytes.toString('base64url') === encoded;
  if (!isWhole || cut < 0 || text.slice(cut + 1) !== checksum(place, filter)) {
    throw invalid(
      'query.cursor is damaged, or belongs to another filter: pass `next` of the page before with the same filter',
    );
  }
  const [ms = '', ...id] = place.split('|');
  return { at: new Date(Number(ms)), id: id.join('|') };
}

/** Finds typing and mixing errors; it is no proof of origin, and none is needed: a place names no event that the filter does not allow. */
function checksum(place: string, filter: StoreFilter): string {
  const { equals, from, to } = filter;
  const bound = [place, Object.entries(equals).sort(byName), from?.getTime() ?? null, to?.getTime() ?? null];
  return createHash('sha256').update(JSON.stringify(bound)).digest('base64url').slice(0, 16);
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

function readMembers(value: unknown, path: string, known: readonly string[]): Record<string, unknown> {
  if (!isRecord(value)) throw invalid(`${path} must be an object, got ${kindOf(value)}`);
  const members = copyMembers(value, path);
  const stranger = Object.keys(members).find((key) => !known.includes(key));
  if (stranger !== undefined) throw invalid(`${path}: member ${unknownName(stranger, known)}`);
  return members;
}

/** Inherited members too: ignoring them would answer with more than was asked for. */
function copyMembers(value: Record<string, unknown>, path: string): Record<string, unknown> {
  const members: Record<string, unknown> = {};
  try {
    for (const key in value) members[key] = value[key];
  } catch {
    throw invalid(`${path} could not be read: a getter threw`);
  }
  return members;
}

function readText(value: unknown, path: string): string {
  if (typeof value === 'string' && value.length <= MAX_TEXT) return value;
  throw invalid(`${path} must be a string of at most ${MAX_TEXT} characters, got ${kindOf(value)}`);
}

function readWord<Word extends string>(value: unknown, path: string, words: readonly Word[]): Word {
  if (words.includes(value as Word)) return value as Word;
  const oneOf = ` must be one of ${words.join(', ')}, got ${kindOf(value)}`;
  throw invalid(path + (typeof value === 'string' ? unknownWord(value, words) : oneOf));
}

function readActions(value: unknown, path: string): string | readonly string[] {
  if (!Array.isArray(value)) return readText(value, path);
  if (value.length < 1 || value.length > MAX_ACTIONS) throw invalid(`${path} must hold 1 to ${MAX_ACTIONS} actions`);
  return [...new Set(value.map((action: unknown, index) => readText(action, `${path}[${index}]`)))].sort();
}

const ISO_TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

function readTime(value: unknown, path: string): Date | undefined {
  if (value === undefined) return undefined;
  const date =
    value instanceof Date ? new Date(value) : new Date(typeof value === 'string' ? inUtc(value) : Number.NaN);
  if (!Number.isNaN(date.getTime())) return date;
  throw invalid(`${path} must be a Date or ISO 8601 text such as 2026-01-31T12:00:00Z, got ${kindOf(value)}`);
}

/** Date's own parser takes a time without an offset for local time, and much that is no ISO 8601 at all. */
function inUtc(text: string): string {
  const match = ISO_TIME.exec(text);
  if (match === null || !isDay(text.slice(0, 10))) return 'no time';
  return match[1] !== undefined && match[4] === undefined ? `${text}Z` : text;
}

/** Date takes 30 February for 1 March. */
function isDay(day: string): boolean {
  const date = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day);
}

function invalid(message: string): QueryError {
  return new QueryError('QUERY_INVALID', message);
}
