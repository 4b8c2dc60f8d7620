/** What is wrong with one event, seen alone or beside the leaf that was sealed for it. Pure. */
import { canonicalText } from './line.js';
import type { Canonical } from './normalise.js';
import type { ViolationKind } from './report.js';
import type { FoundEvent } from './source.js';
import { leafHash } from './tree.js';

/** Why an event is not what it should be. */
export interface EventFault {
  /** The violation. */
  readonly kind: Extract<ViolationKind, 'event-edited' | 'event-malformed' | 'event-type'>;
  /** One sentence, without a value of the event. */
  readonly detail: string;
}

const NO_EVENT: EventFault = { kind: 'event-malformed', detail: 'what stands there is no canonical event' };
const EDITED: EventFault = { kind: 'event-edited', detail: 'it is not what was sealed' };
const REWRITTEN: EventFault = { kind: 'event-type', detail: 'its line says what it should, in other bytes' };

/** The fault of an event whose leaf is the one that was sealed; undefined when there is none. */
export function faultOfSame(event: FoundEvent): EventFault | undefined {
  if (event.fault === undefined) return undefined;
  const kind = event.fault === 'event-type' ? event.fault : 'event-malformed';
  return { kind, detail: event.detail ?? 'it is stored in other bytes than the package writes' };
}

/** The fault of an event whose leaf is another one than was sealed. */
export function faultOfOther(event: FoundEvent, sealed: Buffer): EventFault {
  if (event.fault !== undefined && event.fault !== 'event-type') return faultOfSame(event) ?? NO_EVENT;
  const canonical = readCanonical(event.preimage);
  if (canonical === undefined) return NO_EVENT;
  return leafHash(canonical).equals(sealed) ? REWRITTEN : EDITED;
}

/** The fault of an event that was not sealed. */
export function faultOfUnsealed(event: FoundEvent): EventFault | undefined {
  if (event.fault !== undefined) return faultOfSame(event);
  const canonical = readCanonical(event.preimage);
  if (canonical === undefined) return NO_EVENT;
  return Buffer.from(`\0${canonical}`).equals(bytesOf(event.preimage)) ? undefined : REWRITTEN;
}

/** The canonical text of what a line says; undefined when it is no JSON object. */
function readCanonical(preimage: Buffer | string): string | undefined {
  try {
    const value = JSON.parse(preimage.toString().slice(1)) as Canonical;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? canonicalText(value) : undefined;
  } catch {
    return undefined;
  }
}

function bytesOf(preimage: Buffer | string): Buffer {
  return typeof preimage === 'string' ? Buffer.from(preimage) : preimage;
}
