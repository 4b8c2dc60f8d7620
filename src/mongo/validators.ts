/** What the server lets into the trail and its ledger: documents of their shape, later members welcome. It must not know who writes them. */

/** A `$jsonSchema` validator. */
export type Validator = { readonly $jsonSchema: Readonly<Record<string, unknown>> };

const text = { bsonType: 'string' };
const textOrNull = { bsonType: ['string', 'null'] };
/** The driver sends small numbers as int; dumps and other drivers bring back longs and doubles. */
const whole = { bsonType: ['int', 'long', 'double'], multipleOf: 1, minimum: 0 };
const wholeOrNull = { ...whole, bsonType: [...whole.bsonType, 'null'] };
const binary = { bsonType: 'binData' };

const EVENT_MEMBERS = {
  _id: { ...text, pattern: '^[0-9A-HJKMNP-TV-Z]{26}\\.[0-9]{12}$' },
  v: { ...whole, minimum: 1 },
  at: { bsonType: 'date' },
  app: textOrNull,
  tenantId: textOrNull,
  actorId: textOrNull,
  actorRole: text,
  onBehalfOf: textOrNull,
  action: text,
  target: text,
  targetId: textOrNull,
  status: { enum: ['success', 'failure', 'error'] },
  reason: textOrNull,
  ipAddress: textOrNull,
  userAgent: textOrNull,
  requestId: textOrNull,
  source: text,
  http: {
    bsonType: ['object', 'null'],
    required: ['method', 'route', 'status'],
    properties: { method: text, route: textOrNull, status: wholeOrNull },
  },
  meta: { bsonType: 'object' },
  salt: text,
};

/** By the title a validator of ours is known again, also an older one. */
const TITLES = { trail: 'express-strongroom trail', ledger: 'express-strongroom ledger' } as const;

/** The trail's. `$$NOW` is not used: in a validator it makes the server refuse every insert. @see ARCHITECTURE, section 4 */
export const TRAIL_VALIDATOR: Validator = {
  $jsonSchema: {
    title: TITLES.trail,
    bsonType: 'object',
    required: Object.keys(EVENT_MEMBERS),
    properties: EVENT_MEMBERS,
  },
};

/** The ledger's. `stream` and `from` are copies that not every kind of entry has. @see EVIDENCE, section 3 */
export const LEDGER_VALIDATOR: Validator = {
  $jsonSchema: {
    title: TITLES.ledger,
    bsonType: 'object',
    required: ['_id', 'kind', 'entry', 'note', 'peaks'],
    properties: {
      _id: whole,
      kind: text,
      stream: textOrNull,
      from: wholeOrNull,
      entry: text,
      note: text,
      peaks: binary,
      leaves: binary,
    },
  },
};

/** Whether a collection's validator was made by this package, in any version. */
export function isOurs(validator: unknown): boolean {
  const schema = (validator as { $jsonSchema?: { title?: unknown } } | undefined)?.$jsonSchema;
  return schema?.title === TITLES.trail || schema?.title === TITLES.ledger;
}

/** Whether the two are the same to the letter. */
export function isSameValidator(stored: unknown, wanted: Validator): boolean {
  return JSON.stringify(stored) === JSON.stringify(wanted);
}
