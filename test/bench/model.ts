/** An audit trail as apps write it by hand: a mongoose model of the event's shape, with no rule and no guard on it. */
import { Schema, type Model } from 'mongoose';
import type { AuditEvent } from '../../dist/esm/index.js';
import type { DURABLE, Trail } from './trail.js';

const text = { type: String };

/** Compiles the model for one collection; without a write concern the server's default counts. */
export function compileModel(trail: Trail, collection: string, writeConcern?: typeof DURABLE): Model<AuditEvent> {
  const paths = {
    _id: text,
    v: { type: Number },
    at: { type: Date },
    app: text,
    tenantId: text,
    actorId: text,
    actorRole: text,
    onBehalfOf: text,
    action: text,
    target: text,
    targetId: text,
    status: text,
    reason: text,
    ipAddress: text,
    userAgent: text,
    requestId: text,
    source: text,
    http: { type: { method: text, route: text, status: { type: Number }, _id: false }, default: null },
    meta: { type: Object },
    salt: text,
  };
  // The collection and its indexes are there already.
  const options = { collection, versionKey: false, autoIndex: false, autoCreate: false } as const;
  const schema = new Schema(paths, writeConcern === undefined ? options : { ...options, writeConcern });
  const model: unknown = trail.connection.model(collection, schema);
  return model as Model<AuditEvent>;
}
