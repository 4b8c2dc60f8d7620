/** Stores one event at once, for a command that leaves a trace. It must not know which. */
import type { Connection } from 'mongoose';
import type { AuditEvent } from '../event.js';
import { AuditWriteError } from '../errors.js';
import { readInsertReply } from './insert-outcome.js';

type Db = NonNullable<Connection['db']>;

/** Stores an event, held by a majority and journaled. @throws AUDIT_WRITE_FAILED when the server does not say that it is; what the driver throws */
export async function insertEvent(db: Db, collection: string, event: AuditEvent): Promise<void> {
  const command = { insert: collection, documents: [event], writeConcern: { w: 'majority', j: true } };
  const { kind } = readInsertReply(await db.command(command), 1);
  if (kind !== 'stored') throw new AuditWriteError('AUDIT_WRITE_FAILED', `the event could not be stored (${kind})`);
}
