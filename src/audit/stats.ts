/** The figures of a trail, for health checks and dashboards. It knows not how they come about. */

/** Figures of one instance. */
export interface AuditStats {
  /** Events that wait, those in preparation included. */
  pending: number;
  /** Their estimated bytes. */
  pendingBytes: number;
  /** For how long the oldest has been waiting, in milliseconds; 0 when none waits. */
  oldestMs: number;
  /** Events that wait in the spool, those of dead processes included that this one took over; durable. 0 without one. */
  spooled: number;
  /** Bytes that they take on disk. */
  spoolBytes: number;
  /** Events stored since the start. */
  recorded: number;
  /** Drafts that a filter refused, or that were malformed. */
  refused: number;
  /** Events lost for good. */
  lost: number;
  /** When an event was last made durable. */
  lastDurableAt: Date | null;
}
