/** What became of spooled events before they were sent: new numbers, and what stands for them. Files stay as they were written; this is applied when they are read. Pure. */
import { eventId, readEventId } from '../evidence/entry.js';
import type { AuditEvent } from '../event.js';
import { readSpooledEvent } from './spool-lines.js';

/** One change, as it stands in the file of changes. */
export type SpoolChange =
  /** All events of the stream of `from`, from that number on, are numbered in the stream `to` from 0 on. */
  | { readonly kind: 'move'; readonly from: string; readonly to: string }
  /** This event stands in the place of the one with its `_id`. */
  | { readonly kind: 'replace'; readonly event: AuditEvent };

interface Move {
  readonly stream: string;
  readonly sequence: number;
  readonly to: string;
}

/** Changes in the order in which they were made. */
export class SpoolChanges {
  readonly #moves: Move[] = [];
  readonly #replacements = new Map<string, AuditEvent>();

  /** Learns a change. */
  add(change: SpoolChange): void {
    if (change.kind === 'replace') {
      this.#replacements.set(change.event._id, change.event);
      return;
    }
    const from = readEventId(change.from);
    if (from !== undefined) this.#moves.push({ ...from, to: change.to });
  }

  /** The event as it is to be sent. */
  apply<Event extends AuditEvent>(event: Event): Event {
    let current = this.#replaced(event);
    for (const move of this.#moves) {
      const moved = moveId(current._id, move);
      if (moved !== current._id) current = this.#replaced({ ...current, _id: moved });
    }
    return current;
  }

  /** The `_id` under which an event is to be sent. */
  moved(id: string): string {
    return this.#moves.reduce(moveId, id);
  }

  /** The event that was put at a number; undefined when none was. */
  at(id: string): AuditEvent | undefined {
    return this.#replacements.get(id);
  }

  #replaced<Event extends AuditEvent>(event: Event): Event {
    return this.#replacements.size === 0 ? event : ((this.#replacements.get(event._id) as Event | undefined) ?? event);
  }
}

function moveId(id: string, { stream, sequence, to }: Move): string {
  const place = readEventId(id);
  const isMoved = place?.stream === stream && place.sequence >= sequence;
  return isMoved ? eventId(to, place.sequence - sequence) : id;
}

/** Reads a record of the file of changes; null for anything else. */
export function readSpoolChange(record: object | null): SpoolChange | null {
  const { kind, from, to, event } = (record ?? {}) as Record<string, unknown>;
  if (kind === 'move' && typeof from === 'string' && typeof to === 'string') return { kind, from, to };
  const replacement = kind === 'replace' && typeof event === 'object' ? readSpooledEvent(event) : null;
  return replacement && { kind: 'replace', event: replacement };
}
