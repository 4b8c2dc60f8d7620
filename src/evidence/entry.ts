/** The entries of the ledger: what each kind says, its one text, and reading that text strictly. Pure. @see EVIDENCE, "Bytes" */
import { decodeBase64 } from './base64.js';
import { canonicalText } from './line.js';
import type { Canonical } from './normalise.js';
import { EMPTY_ROOT, HASH_BYTES } from './tree.js';

/** A run of events of one stream, as numbers. */
export interface Segment {
  /** The stream's ULID. */
  readonly stream: string;
  /** Number of its first event. */
  readonly from: number;
  /** How many events; 0 is a heartbeat. */
  readonly count: number;
  /** RFC 6962 root over their leaves, base64. */
  readonly root: string;
}

interface Common {
  /** Place in the ledger. */
  readonly n: number;
  /** When it was appended, ISO-8601 with milliseconds, UTC. */
  readonly at: string;
  /** Stream of the process that appended it. */
  readonly by: string;
  /** Version of the form. */
  readonly v: 1;
}

/** First entry of a stream. */
export interface OpenEntry extends Common {
  readonly kind: 'open';
  readonly stream: string;
  readonly host: string;
  readonly app: string | null;
}

/** Kinds that cover a segment. */
type SegmentKind = 'seal' | 'close' | 'recover' | 'adopt';

/** An entry that covers events, or none as a heartbeat. */
export interface SegmentEntry extends Common, Segment {
  readonly kind: SegmentKind;
}

/** Says that events of older segments may be gone. */
interface PruneEntry extends Common {
  readonly kind: 'prune';
  /** Place in the ledger up to which, inclusive, events of segments may be absent. */
  readonly through: number;
}

/** One entry of the ledger. */
export type Entry = OpenEntry | SegmentEntry | PruneEntry;

/** An entry before it has its place and time. */
export type EntryDraft =
  Omit<OpenEntry, 'n' | 'at' | 'v'> | Omit<SegmentEntry, 'n' | 'at' | 'v'> | Omit<PruneEntry, 'n' | 'at' | 'v'>;

/** Most events that one entry may cover. */
export const MAX_SEGMENT_EVENTS = 65_536;

const SEGMENT_KINDS: readonly string[] = ['seal', 'close', 'recover', 'adopt'] satisfies SegmentKind[];
const STREAM = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const SEQUENCE_DIGITS = 12;
const EVENT_ID = /^([0-7][0-9A-HJKMNP-TV-Z]{25})\.(\d{12})$/;
/** One past the last number that an `_id` can hold. */
const MAX_SEQUENCE = 10 ** SEQUENCE_DIGITS;

/** Gives an entry its place and time. */
export function placeEntry(draft: EntryDraft, n: number, at: Date): Entry {
  return { ...draft, n, at: at.toISOString(), v: 1 };
}

/** The text of an entry: RFC 8785. */
export function writeEntry(entry: Entry): string {
  return canonicalText(entry as unknown as Canonical);
}

/** Reads the text of an entry; undefined unless it is to the byte what writing it gives, with exactly the members of its kind. */
export function readEntry(text: string): Entry | undefined {
  const value = parseCanonical(text);
  if (value === undefined || !isCommon(value) || !hasMembersOfItsKind(value)) return undefined;
  return value as unknown as Entry;
}

/** Whether an entry covers a segment. */
export function isSegmentEntry(entry: Entry): entry is SegmentEntry {
  return SEGMENT_KINDS.includes(entry.kind);
}

/** The `_id` of an event. */
export function eventId(stream: string, sequence: number): string {
  return `${stream}.${String(sequence).padStart(SEQUENCE_DIGITS, '0')}`;
}

/** Stream and number of an `_id`; undefined for one that this package never gives. */
export function readEventId(id: unknown): { stream: string; sequence: number } | undefined {
  const [, stream, digits] = typeof id === 'string' ? (EVENT_ID.exec(id) ?? []) : [];
  return stream === undefined ? undefined : { stream, sequence: Number(digits) };
}

/** Whether a text has the form of this package's `_id`s. */
export function isEventId(id: string): boolean {
  return EVENT_ID.test(id);
}

/** Whether a text is a stream's ULID. */
export function isStream(value: unknown): value is string {
  return typeof value === 'string' && STREAM.test(value);
}

/** When a stream was opened, by its ULID; ms since 1970. */
export function streamTime(stream: string): number {
  return Array.from(stream.slice(0, 10)).reduce((ms, digit) => ms * 32 + CROCKFORD.indexOf(digit), 0);
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

function parseCanonical(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as Canonical;
    const isObject = typeof value === 'object' && value !== null && canonicalText(value) === text;
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isCommon({ n, at, by, v }: Record<string, unknown>): boolean {
  return v === 1 && isNumber(n, Number.MAX_SAFE_INTEGER) && isTime(at) && isStream(by);
}

function hasMembersOfItsKind(value: Record<string, unknown>): boolean {
  const { kind, stream, by } = value;
  if (kind === 'prune') return hasOnly(value, ['through']) && isNumber(value['through'], (value['n'] as number) - 1);
  if (kind === 'open') {
    const { host, app } = value;
    const isNamed = typeof host === 'string' && (app === null || typeof app === 'string');
    return hasOnly(value, ['stream', 'host', 'app']) && isNamed && stream === by;
  }
  if (!SEGMENT_KINDS.includes(kind as string) || !hasOnly(value, ['stream', 'from', 'count', 'root'])) return false;
  // Who seals and closes is the stream itself; who recovers and adopts is another one.
  const isOwn = kind === 'seal' || kind === 'close';
  return isSegment(value) && (stream === by) === isOwn;
}

function isSegment({ stream, from, count, root }: Record<string, unknown>): boolean {
  if (!isStream(stream) || !isNumber(count, MAX_SEGMENT_EVENTS)) return false;
  if (!isNumber(from, MAX_SEQUENCE - count) || typeof root !== 'string') return false;
  return count === 0 ? root === EMPTY_ROOT.toString('base64') : decodeBase64(root)?.length === HASH_BYTES;
}

const COMMON_MEMBERS = ['at', 'by', 'kind', 'n', 'v'];

function hasOnly(value: Record<string, unknown>, members: readonly string[]): boolean {
  const names = Object.keys(value);
  return names.length === COMMON_MEMBERS.length + members.length && members.every((name) => Object.hasOwn(value, name));
}

function isNumber(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function isTime(value: unknown): boolean {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)) return false;
  const time = new Date(value);
  return !Number.isNaN(time.getTime()) && time.toISOString() === value;
}
