/** The mongoose model of the trail: for reading, append-only. It knows the event's shape and nothing of requests. */
import type { Connection, Model, Schema } from 'mongoose';
import type { AuditEvent } from '../event.js';
import { appendOnly } from './append-only.js';
import { guardConnection } from './connection-guard.js';
import { ledgerOf } from './excess.js';
import type { OnViolation } from './refusal.js';

/** Who wants to hear of refusals, by connection and collection: two rooms on one trail share its model, and both hear. */
const listeners = new WeakMap<Connection, Map<string, Set<OnViolation>>>();

/**
 * Compiles the trail's model on a connection, once per connection and collection, and guards both, and the ledger beside them. The schema comes from the connection's
 * own mongoose: a second copy would not be recognised.
 */
export function compileModel(connection: Connection, collection: string, onViolation: OnViolation): Model<AuditEvent> {
  const heard = listenersOf(connection, collection);
  heard.add(onViolation);
  const name = `StrongroomAudit:${collection}`;
  const compiled = connection.models[name];
  if (compiled !== undefined) return compiled as Model<AuditEvent>;
  const schema = createSchema(connection, collection);
  const onRefusal: OnViolation = (violation) => {
    for (const listener of heard) listener(violation);
  };
  appendOnly(schema, { onViolation: onRefusal });
  const model = connection.model(name, schema) as unknown as Model<AuditEvent>;
  // One listener for both: what touches both, such as dropDatabase, is told once.
  guardConnection(connection, ledgerOf(collection), onRefusal);
  return model;
}

function listenersOf(connection: Connection, collection: string): Set<OnViolation> {
  const byCollection = listeners.get(connection) ?? new Map<string, Set<OnViolation>>();
  listeners.set(connection, byCollection);
  const heard = byCollection.get(collection) ?? new Set<OnViolation>();
  byCollection.set(collection, heard);
  return heard;
}

function createSchema(connection: Connection, collection: string): Schema {
  const { Schema } = (connection as unknown as { base: { Schema: new (paths: object, options: object) => Schema } })
    .base;
  const text = { type: String };
  const http = { type: { method: text, route: text, status: { type: Number }, _id: false }, default: null };
  return new Schema(
    {
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
      http,
      meta: { type: Object },
      salt: text,
    },
    // Indexes and the collection are the store's business: it builds them where the user may, and does not fail where he may not.
    { collection, versionKey: false, minimize: false, autoIndex: false, autoCreate: false, id: false },
  );
}
