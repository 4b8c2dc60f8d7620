/** Anything as meta, header, path, query or cursor, over real HTTP on Express 5 and 4: no 5xx of the package, no operator reaches MongoDB, and what is stored is what was told. */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import net, { type AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { expect } from 'chai';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import fc from 'fast-check';
import mongoose, { type Connection } from 'mongoose';
import { canonicalLine } from '../../src/evidence/line.js';
import { type AuditEvent, memoryProvider, strongroom, type Strongroom } from '../../src/index.js';
import { startMongod } from '../mongod.js';
import { isLong, scenario } from './scenario.js';

const RUNS = isLong ? 20_000 : 1000;
/** The driver's default is `{}`, whose inherited `constructor` it takes for "leave this array raw". */
const RAW = { fieldsAsRaw: Object.create(null) as Record<string, boolean> };
const EXPRESSES: readonly (readonly [string, typeof express])[] = [
  ['Express 5', express],
  ['Express 4', createRequire(import.meta.url)('express4') as typeof express],
];

const anyUnit = fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit));
const anyText = fc.string({ unit: anyUnit, maxLength: 40 });
const OPERATORS = [
  '$ne',
  '$gt',
  '$regex',
  '$where',
  '$in',
  '$or',
  '$exists',
  '$expr',
  '__proto__',
  'constructor',
  'toString',
  '',
  '0',
];
const anyMeta = fc.anything({
  key: fc.oneof(anyText, fc.constantFrom(...OPERATORS, 'a.b', '_id', '_bsontype', 'toBSON', 'toJSON')),
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
});

/** As `fc.assert`, without the values in its message; seed and path bring them back. */
async function holds<Values>(property: fc.IAsyncProperty<Values>): Promise<void> {
  const result = await fc.check(property, { numRuns: RUNS, endOnFailure: !isLong });
  if (!result.failed) return;
  const { seed, counterexamplePath, errorInstance, counterexample } = result;
  const example = JSON.stringify(counterexample)?.slice(0, 500);
  throw new Error(`seed ${seed}, path "${counterexamplePath}": ${String(errorInstance).slice(0, 1000)} for ${example}`);
}

function createShop(base: typeof express, room: Strongroom): Express {
  const app = base();
  app.set('query parser', 'extended');
  app.set('trust proxy', true);
  app.use(room);
  app.use(base.json());
  app.post('/login', (req: Request, res: Response) => {
    res.status(req.get('x-password') === undefined ? 401 : 200).json({});
  });
  const answer = (ask: (query: never) => Promise<unknown>) => (req: Request, res: Response, next: NextFunction) => {
    ask(req.query as never).then((found) => res.json(found), next);
  };
  app.get('/trail', answer(room.audit.find));
  app.get('/count', answer(room.audit.count));
  app.get('/groups', answer(room.audit.aggregate));
  // oxlint-disable-next-line max-params -- Express knows an error handler by its four parameters.
  app.use((error: { status?: number; code?: string }, _req: Request, res: Response, _next: NextFunction) => {
    res.status(error.status ?? 500).json({ code: error.code });
  });
  return app;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Sends bytes as they are: an HTTP client of good manners would refuse most of them. */
async function send(port: number, head: string): Promise<Answer> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  // Not ended: a server may drop a request whose sender has hung up.
  socket.write(Buffer.from(`${head}\r\n\r\n`, 'latin1'));
  socket.setTimeout(5000, () => socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'close');
  const text = Buffer.concat(chunks).toString();
  const [status = '', ...rest] = text.split('\r\n\r\n');
  return { status: Number(status.split(' ')[1]), body: parse(rest.join('\r\n\r\n')) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const MEMBERS = [
  'actorId',
  'action',
  'target',
  'targetId',
  'status',
  'ipAddress',
  'requestId',
  'tenantId',
  'from',
  'to',
  'limit',
  'cursor',
  'by',
  'interval',
  'sort',
  '$where',
];
const TEXTS = [
  'u1',
  'u2',
  'auth.login',
  'user',
  'success',
  'failure',
  '2026-01-01',
  '1',
  '1000',
  '-1',
  '1e3',
  'null',
  '[object Object]',
  '$ne',
  '{"$ne":1}',
  'this',
  '/.*/',
  '\0',
];
const anyMember = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...MEMBERS) }, { weight: 1, arbitrary: anyText });
const anyOperator = fc.oneof(fc.constantFrom(...OPERATORS), anyText);
const anyKey = fc.oneof(
  { weight: 3, arbitrary: anyMember },
  fc.tuple(anyMember, anyOperator).map(([member, operator]) => `${member}[${operator}]`),
  fc.tuple(anyMember, anyOperator, anyOperator).map(([member, one, two]) => `${member}[${one}][${two}]`),
  anyMember.map((member) => `${member}[]`),
);
const anyPair = fc.tuple(anyKey, fc.oneof(fc.constantFrom(...TEXTS), anyText));
const anySearch = fc.oneof(
  fc
    .array(anyPair, { maxLength: 4 })
    .map((pairs) => pairs.map(([key, value]) => `${escaped(key)}=${escaped(value)}`).join('&')),
  // Also what no parser was made for.
  fc.string({ unit: fc.integer({ min: 0x21, max: 0xff }).map((unit) => String.fromCharCode(unit)), maxLength: 60 }),
);

function escaped(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}

for (const [name, base] of EXPRESSES) {
  describe(`Fuzzing, ${name}`, function suite() {
    this.timeout(60_000);
    let stop: () => Promise<unknown>;
    let connection: Connection;
    let room: Strongroom;
    let shop: Server;
    let port: number;

    before(async () => {
      const server = await startMongod();
      stop = () => server.stop();
      connection = await mongoose.createConnection(server.getUri('fuzz')).asPromise();
      const provider = memoryProvider({ AUDIT_PSEUDONYM_KEY: 'any key that is long enough' });
      room = strongroom({ environment: 'test', secrets: { provider }, audit: { uri: server.getUri('fuzz') } });
      await room.ready();
      shop = createShop(base, room).listen(0, '127.0.0.1');
      await once(shop, 'listening');
      ({ port } = shop.address() as AddressInfo);
      for (const actorId of ['u1', 'u2', null]) {
        await room.audit.record({ action: 'user.update', actorId, targetId: 't1' });
      }
    });
    after(async () => {
      shop.close();
      await room.close();
      await connection.close();
      await stop();
    });

    async function stored(id: string): Promise<string> {
      const document = await connection.collection<{ _id: string }>('audit_events').findOne({ _id: id }, RAW);
      return canonicalLine(document as unknown as Record<string, unknown>);
    }

    scenario('any meta is stored as it was told', 90, async () => {
      await holds(
        fc.asyncProperty(anyMeta, anyText, async (value, targetId) => {
          const event = await room.audit.record({ action: 'user.update', targetId, meta: { value } });
          expect(await stored(event._id)).to.equal(canonicalLine({ ...event }));
        }),
      );
    });

    const anyByte = fc.string({
      unit: fc.integer({ min: 1, max: 0xff }).map((unit) => String.fromCharCode(unit)),
      maxLength: 60,
    });
    const anyHeader = fc.tuple(
      fc.oneof(
        fc.constantFrom(
          'user-agent',
          'x-request-id',
          'x-forwarded-for',
          'x-forwarded-proto',
          'x-forwarded-host',
          'authorization',
          'cookie',
          'referer',
          'accept',
          'content-type',
          'x-http-method-override',
          'forwarded',
          '__proto__',
          'constructor',
        ),
        fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}$/),
      ),
      fc.oneof(
        anyByte,
        fc.constantFrom('1.2.3.4, ::ffff:9.9.9.9', '<script>', 'x'.repeat(4000), '::1%eth0', 'a'.repeat(128)),
      ),
    );

    scenario('any header: the answer is as ever, and the event is stored as it was told', 90, async () => {
      const told: AuditEvent[] = [];
      const remove = room.hooks.on('audit:recorded', ({ event }) => void told.push(event));
      let logins = 0;
      await holds(
        fc.asyncProperty(fc.array(anyHeader, { maxLength: 5 }), async (headers) => {
          const lines = headers.map(([key, value]) => `\r\n${key}: ${value.replaceAll(/[\r\n]/g, '')}`).join('');
          const head = `POST /login HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0${lines}`;
          const { status } = await send(port, head);
          // Node's own parser refuses some; a 415 is the body parser's word.
          expect(status).to.be.oneOf([401, 400, 415]);
          if (status === 401) logins += 1;
        }),
      );
      await room.audit.flush();
      remove();
      const events = told.filter(({ action, reason }) => action === 'auth.login' && reason === 'invalid_credentials');
      expect(events)
        .to.have.lengthOf(logins)
        .and.to.have.length.above(RUNS / 2);
      for (const event of events) {
        expect(await stored(event._id)).to.equal(canonicalLine({ ...event }));
        expect(event.ipAddress === null || net.isIP(event.ipAddress) > 0).to.equal(true);
      }
    });

    const anyTarget = fc.oneof(
      fc
        .tuple(
          fc.constantFrom(
            '/login',
            '//login',
            '/x/../login',
            '/login/',
            '/LOGIN',
            '/users/%ff/role',
            'http://h/login',
            '*',
            '/%',
            '/\\login',
          ),
          anyByte,
        )
        .map(([path, more]) => path + more),
      anyByte,
    );

    scenario('any method and path: nothing but what Express itself says', 90, async () => {
      const method = fc.constantFrom(
        'GET',
        'POST',
        'PUT',
        'PATCH',
        'DELETE',
        'OPTIONS',
        'HEAD',
        'PROPFIND',
        'TRACE',
        'LINK',
      );
      await holds(
        fc.asyncProperty(method, anyTarget, async (verb, target) => {
          const line = `${verb} ${target.replaceAll(/[\s\u0085\u00a0]/g, '')} HTTP/1.1\r\nhost: a\r\nconnection: close`;
          const { status } = await send(port, line);
          expect(status).to.be.below(500);
        }),
      );
    });

    scenario('any query: an answer or a 400, and never an operator', 90, async () => {
      let answered = 0;
      await holds(
        fc.asyncProperty(fc.constantFrom('/trail', '/count', '/groups'), anySearch, async (path, search) => {
          const { status, body } = await send(port, `GET ${path}?${search} HTTP/1.1\r\nhost: a\r\nconnection: close`);
          expect(status).to.be.oneOf([200, 400]);
          if (status === 400) return;
          answered += 1;
          // What passes is plain text: an operator would be found as a bracket behind a known member.
          const names = search.split('&').map((pair) => decodeURIComponent(pair.split('=')[0] ?? ''));
          const known = names.filter((one) => MEMBERS.some((member) => one.startsWith(`${member}[`)));
          expect(known.filter((one) => !/^(action|by)\[\d{0,2}\]$/.test(one))).to.deep.equal([]);
          if (path === '/trail') expectMatches((body as { events: AuditEvent[] }).events, search);
        }),
      );
      expect(answered).to.be.above(0);
    });

    function expectMatches(events: readonly AuditEvent[], search: string): void {
      for (const [member, value] of new URLSearchParams(search)) {
        if (!['actorId', 'target', 'targetId', 'status', 'requestId'].includes(member)) continue;
        for (const event of events) expect(event[member as 'actorId']).to.equal(value);
      }
    }

    scenario('any cursor: a page or a 400, and only a whole one is taken', 90, async () => {
      const { next } = await room.audit.find({ limit: 1 });
      const cursor = next as string;
      const { status } = await send(port, `GET /trail?cursor=${cursor} HTTP/1.1\r\nhost: a\r\nconnection: close`);
      // A number in a query is text, so the limit stays the default.
      expect(status).to.equal(200);
      const place = fc.nat(cursor.length - 1);
      const anyCursor = fc.oneof(
        anyText,
        fc.base64String({ maxLength: 200 }),
        fc
          .tuple(place, fc.constantFrom(...Array.from('AZaz09-_.=')))
          .map(([at, letter]) => cursor.slice(0, at) + letter + cursor.slice(at + 1)),
        place.map((length) => cursor.slice(0, length)),
        anyText.map((more) => cursor + more),
      );
      await holds(
        fc.asyncProperty(anyCursor, async (given) => {
          const line = `GET /trail?cursor=${escaped(given)} HTTP/1.1\r\nhost: a\r\nconnection: close`;
          expect((await send(port, line)).status).to.equal(given === cursor ? 200 : 400);
          const problem = await room.audit.find({ cursor: given }).then(
            () => null,
            (error: unknown) => (error as { code: string }).code,
          );
          expect(problem).to.equal(given === cursor ? null : 'ERR_STRONGROOM_QUERY_INVALID');
        }),
      );
    });
  });
}
