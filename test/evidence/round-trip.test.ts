/** Whatever a caller logs, by `record()` or over HTTP, comes back from MongoDB to the line, the leaf and the bytes of the event that record() resolved with. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { expect } from 'chai';
import express, { type Request, type Response } from 'express';
import fc from 'fast-check';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import mongoose from 'mongoose';
import { generateKey, readVerifierKey } from '../../src/evidence/keys.js';
import type { LedgerDocument } from '../../src/evidence/ledger-document.js';
import { canonicalLine, canonicalText } from '../../src/evidence/line.js';
import type { Canonical } from '../../src/evidence/normalise.js';
import { leafHash } from '../../src/evidence/tree.js';
import { verifyEvidence } from '../../src/evidence/verify.js';
import { type AuditDraft, type AuditEvent, memoryProvider, strongroom, type Strongroom } from '../../src/index.js';
import { startMongod } from '../mongod.js';
import { buildGo, needCommand, printed } from './foreign.js';
import { sourceOf, writeFolder } from './honest.js';

const { BSON, MongoClient } = mongoose.mongo;
type Mongo = InstanceType<typeof MongoClient>;
type Document = Record<string, unknown>;

/** Any UTF-16 unit: lone surrogates, NUL, escapes and what reads like a line end come up. */
const anyUnit = fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit));
const anyText = fc.oneof(
  fc.string({ unit: anyUnit }),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom(
    '\ud800',
    'a\udc00b',
    '\0',
    '\u2028',
    'ß'.repeat(70),
    'x'.repeat(63) + '😀',
    'ß' + 'a'.repeat(61) + '😀',
  ),
);
const anyKey = fc.oneof(
  anyText,
  fc.constantFrom(
    '__proto__',
    '$set',
    '$gt',
    '$where',
    '_bsontype',
    'constructor',
    'toString',
    'toBSON',
    'toJSON',
    'a.b',
    '',
    '10',
    '9',
    '_id',
    '$ref',
    '$id',
    '$db',
    'length',
  ),
);

const hex = (length: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef')), minLength: length, maxLength: length });
/** What else an app has at hand: types of MongoDB and of Node, and objects that misbehave. */
const exotic: fc.Arbitrary<unknown> = fc.oneof(
  hex(24).map((text) => new BSON.ObjectId(text)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => BSON.Long.fromBigInt(value)),
  fc.double().map((value) => new BSON.Double(value)),
  fc.integer().map((value) => new BSON.Int32(value)),
  fc.double({ noNaN: true }).map((value) => BSON.Decimal128.fromString(String(value))),
  fc.uint8Array({ maxLength: 1500 }).map((bytes) => new BSON.Binary(Buffer.from(bytes))),
  fc.uint8Array({ maxLength: 1500 }).map((bytes) => Buffer.from(bytes)),
  fc.uuid().map((text) => new BSON.UUID(text)),
  fc.date({ noInvalidDate: false }),
  anyText.map((text) => new Error(text)),
  anyText.map((text) => ({ toJSON: () => text })),
  anyText.map((text) => ({ toBSON: () => ({ $set: text }) })),
  fc.constantFrom(
    Number.NaN,
    -0,
    Infinity,
    2n ** 70n,
    Symbol('s'),
    () => 1,
    /x/gi,
    new Date(Number.NaN),
    Promise.resolve(1),
    new URL('http://a.example/?b=c'),
    new Map<unknown, unknown>([
      [{}, 1],
      ['$x', { $y: 1 }],
    ]),
    new Set([1, '\ud800']),
    new BSON.Timestamp({ t: 1, i: 2 }),
    new BSON.MinKey(),
    new BSON.Code('1'),
    JSON.parse('{"__proto__":{"$gt":1}}'),
  ),
  fc.nat(300).map((depth) => nested(depth)),
  fc
    .integer({ min: 60, max: 70 })
    .map((count) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]))),
  fc.integer({ min: 95, max: 105 }).map((length) => Array.from({ length }, (_, index) => index)),
  fc.integer({ min: 16_380, max: 70_000 }).map((length) => '😀'.repeat(length / 2)),
  fc.constant(null).map(cyclic),
);
const anyValue = fc.oneof(
  { weight: 2, arbitrary: exotic },
  {
    weight: 3,
    arbitrary: fc.anything({
      key: anyKey,
      values: [
        anyText,
        fc.double(),
        fc.integer(),
        fc.boolean(),
        fc.constantFrom(null, undefined, -0),
        fc.bigInt(),
        exotic,
      ],
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
    }),
  },
);

const ACTIONS = ['note.write', 'note.\ud800', 'ß'.repeat(70), '\0note', `${'x'.repeat(63)}😀`];

/** Every member that a caller may set. */
const anyDraft: fc.Arbitrary<AuditDraft> = fc.record(
  {
    action: fc.constantFrom(...ACTIONS),
    target: anyText,
    targetId: fc.option(anyText),
    reason: fc.option(anyText),
    actorId: fc.option(anyText),
    actorRole: anyText,
    onBehalfOf: fc.option(anyText),
    tenantId: fc.option(anyText),
    ipAddress: fc.option(anyText),
    userAgent: fc.option(anyText),
    requestId: fc.option(anyText),
    status: fc.constantFrom('success', 'failure', 'error'),
    at: fc.date({ min: new Date(0), max: new Date(), noInvalidDate: true }),
    meta: fc.oneof(
      fc.dictionary(anyKey, anyValue, { maxKeys: 5 }),
      anyValue.map((value) => ({ value })),
    ),
  },
  { requiredKeys: ['action'] },
);

/** As `fc.assert`, without the values in its message: some are of 70,000 characters. The seed and the path bring them back. */
async function holds<Values>(property: fc.IAsyncProperty<Values>, numRuns: number): Promise<void> {
  const { failed, seed, counterexamplePath, errorInstance } = await fc.check(property, { numRuns, endOnFailure: true });
  if (failed) throw new Error(`seed ${seed}, path "${counterexamplePath}": ${String(errorInstance).slice(0, 2000)}`);
}

const { signingKey, vkey } = generateKey('audit.example/round-trip');

describe('an event, from the caller through MongoDB to its leaf', () => {
  let server: MongoMemoryServer;
  let client: Mongo;
  let room: Strongroom;
  let shop: http.Server;

  before(async function start() {
    this.timeout(60_000);
    server = await startMongod();
    client = await MongoClient.connect(server.getUri());
    room = strongroom({
      environment: 'test',
      secrets: { provider: memoryProvider({ AUDIT_SIGNING_KEY: signingKey }) },
      audit: { uri: server.getUri('round_trip'), app: 'ladeñ', actions: ['note.write'] },
    });
    await room.ready();
    shop = createShop(room).listen(0, '127.0.0.1');
    await once(shop, 'listening');
  });
  after(async () => {
    shop?.close();
    await room?.close();
    await client?.close();
    await server?.stop();
  });

  /** The documents as a verifier reads them, and that their bytes hide nothing. */
  async function readRaw(ids: readonly string[]): Promise<Map<string, Document>> {
    const collection = client.db('round_trip').collection<{ _id: string }>('audit_events');
    const found = new Map<string, Document>();
    for await (const bytes of collection.find({ _id: { $in: [...ids] } }, { raw: true })) {
      const document = BSON.deserialize(bytes as unknown as Buffer);
      expect(Buffer.compare(Buffer.from(BSON.serialize(document)), Buffer.from(bytes as unknown as Buffer))).to.equal(
        0,
      );
      found.set(document['_id'] as string, document);
    }
    return found;
  }

  async function readTrail(): Promise<{ lines: string[]; documents: LedgerDocument[] }> {
    const db = client.db('round_trip');
    const options = { promoteBuffers: true, sort: { _id: 1 } } as const;
    const events = await db
      .collection('audit_events')
      .find({}, { ...options, fieldsAsRaw: Object.create(null) })
      .toArray();
    const documents = await db.collection('audit_events_ledger').find({}, options).toArray();
    return { lines: events.map(canonicalLine), documents: documents as unknown as LedgerDocument[] };
  }

  async function expectSameLines(events: readonly AuditEvent[]): Promise<void> {
    const found = await readRaw(events.map(({ _id }) => _id));
    for (const event of events) {
      const stored = canonicalLine(found.get(event._id)!);
      expect(canonicalLine({ ...event })).to.equal(stored);
      expect(leafHash(canonicalLine({ ...event }))).to.deep.equal(leafHash(Buffer.from(stored)));
      expect(Buffer.byteLength(stored)).to.be.at.most(65_536);
      // Whoever reads the export needs no more than a JSON parser.
      expect(canonicalText(JSON.parse(Buffer.from(stored).toString()) as Canonical)).to.equal(stored);
    }
  }

  it('is the same line for anything that is recorded', async function record() {
    this.timeout(120_000);
    await holds(
      fc.asyncProperty(fc.array(anyDraft, { minLength: 1, maxLength: 12 }), async (drafts) => {
        await expectSameLines(await Promise.all(drafts.map((draft) => room.audit.record(draft))));
      }),
      120,
    );
  });

  it('is the same line for anything that a client sends as body, query and headers', async function send() {
    this.timeout(120_000);
    const body = fc.oneof(
      fc.json({ depthSize: 'large' }),
      fc.dictionary(anyKey, fc.jsonValue()).map((value) => JSON.stringify(value)),
    );
    const query = fc.array(
      fc.tuple(fc.constantFrom('a', 'a[b]', 'a[$gt]', 'a[]', '__proto__[x]', '$where', 'constructor', 'a.b'), anyText),
    );
    const request = fc.record({
      body,
      query,
      agent: fc.string({
        unit: fc
          .integer({ min: 0x20, max: 0xff })
          .filter((unit) => unit !== 0x7f)
          .map((unit) => String.fromCharCode(unit)),
      }),
    });
    await holds(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 8 }), async (requests) => {
        const events = await Promise.all(requests.map((one) => post(shop, one)));
        await expectSameLines(events.map((event) => ({ ...event, at: new Date(event.at) })));
      }),
      80,
    );
  });

  it('is in a trail that verifies', async () => {
    await room.audit.seal();
    const { lines, documents } = await readTrail();
    const keys = [readVerifierKey(vkey, 'key')];
    const report = await verifyEvidence(sourceOf(lines, documents), { keys, now: new Date() });
    expect(report.violations).to.deep.equal([]);
    expect(report.events).to.equal(lines.length).and.to.be.above(500);
    expect(report.entries).to.equal(documents.length).and.to.be.above(1);
  });

  it('is in a trail that Go and Python find intact', async function foreign() {
    const go = await buildGo(this);
    needCommand(this, 'python3', ['--version']);
    needCommand(this, 'openssl', ['version']);
    await room.audit.seal();
    const { lines, documents } = await readTrail();
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-round-trip-'));
    await writeFolder(folder, { lines, documents, vkey });
    const count = JSON.parse(await printed(go, ['check', folder])) as Record<string, number>;
    expect(count).to.include({ events: lines.length, checkpoints: documents.length });
    for (const script of ['verify.py', 'verify-in-full.py']) {
      const said = await printed('python3', [resolve('examples', script), folder, join(folder, 'keys.txt')]);
      expect(said).to.equal(
        `${lines.length} events (0 not yet sealed), ${documents.length} ledger entries, 0 faults\n`,
      );
    }
    await Promise.all([folder, dirname(go)].map((path) => rm(path, { recursive: true })));
  });

  it('refuses an option app that MongoDB would store as another text', () => {
    for (const app of ['shop\ud800', '\udc00', ''])
      expect(() => strongroom({ audit: { uri: 'mongodb://localhost', app } })).to.throw(
        /audit\.app must be a well-formed string/,
      );
  });
});

/** Records what it is sent, and answers with the event. */
function createShop(room: Strongroom): express.Express {
  const app = express();
  app.set('query parser', 'extended');
  app.use(room);
  app.use(express.json({ strict: false }));
  app.post('/note', (req: Request, res: Response, next) => {
    const meta = { body: req.body as unknown, query: req.query, path: req.path };
    req.audit.record({ action: 'note.write', target: 'note', meta }).then((event) => res.json(event), next);
  });
  return app;
}

interface Sent {
  body: string;
  query: [string, string][];
  agent: string;
}

async function post(shop: http.Server, { body, query, agent }: Sent): Promise<AuditEvent> {
  const { port } = shop.address() as AddressInfo;
  const search = query.map(([key, value]) => `${key}=${encodeURIComponent(Buffer.from(value).toString())}`).join('&');
  const headers = { 'content-type': 'application/json', 'user-agent': agent, 'x-request-id': agent.slice(0, 40) };
  const sent = http.request({ port, method: 'POST', path: `/note?${search}`, headers, agent: false });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [http.IncomingMessage];
  const text = await answer.toArray().then((chunks) => Buffer.concat(chunks as Buffer[]).toString());
  expect(answer.statusCode, text).to.equal(200);
  return JSON.parse(text) as AuditEvent;
}

function nested(depth: number): unknown {
  let value: unknown = 'bottom';
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { $in: value };
  return value;
}

function cyclic(): unknown {
  const value: Document = {};
  value['self'] = [value];
  return value;
}
