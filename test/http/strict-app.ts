/** An app with one strict action, whose events are durable when the test says so, and what is compared of its answers. */
import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import type { Express, NextFunction, Request, RequestHandler, Response } from 'express';
import {
  createRoom,
  type ExpressModule,
  gate,
  listen,
  openRaw,
  type RoomOptions,
  type TestRoom,
  until,
} from './app.js';

export type Handler = (req: Request, res: Response, next: NextFunction) => unknown;

/** One way to answer, in one app. */
export interface Case {
  readonly handler: Handler;
  readonly method?: string;
  readonly headers?: string;
  readonly front?: readonly RequestHandler[];
  readonly behind?: readonly RequestHandler[];
  readonly after?: (app: Express) => void;
}

/** Stands in whatever a handler says: header, cookie, body. */
export const MARK = 'the-word-of-the-handler';

const RULE = { method: '*', path: '/act', action: 'order.refund', target: 'order' } as const;

/** A room with the strict action `order.refund` on `/act`. */
export function createStrictRoom(options: RoomOptions = {}): TestRoom {
  return createRoom({ rules: [RULE], strict: ['order.refund'], ...options });
}

/** Serves a case. */
export function serve(express: ExpressModule, room: TestRoom, one: Case): Promise<number> {
  const app = express();
  app.disable('x-powered-by').set('env', 'test');
  for (const middleware of one.front ?? []) app.use(middleware);
  app.use(room.middleware);
  for (const middleware of one.behind ?? []) app.use(middleware);
  app.all('/act', (req, res, next) => one.handler(req, res, next) as never);
  one.after?.(app);
  return listen(app);
}

/** The bytes of a request for a case, on a connection that ends with the answer. */
export function requestFor({ method = 'POST', headers = '' }: Pick<Case, 'method' | 'headers'> = {}): string {
  return `${method} /act HTTP/1.1\r\nHost: host\r\nConnection: close\r\nContent-Length: 0\r\n${headers}\r\n`;
}

/** What is answered without strict actions. */
export async function answerPlainly(express: ExpressModule, one: Case): Promise<string> {
  const room = createStrictRoom({ strict: false });
  const answer = await openRaw(await serve(express, room, one), requestFor(one)).closed;
  await until(() => room.recorded.length > 0);
  return answer;
}

/** What is answered when the event is durable; before, not a byte has arrived. */
export async function answerDurably(express: ExpressModule, one: Case): Promise<string> {
  const durable = gate();
  const room = createStrictRoom({ durable: () => durable.passed });
  const client = openRaw(await serve(express, room, one), requestFor(one));
  await until(() => room.recorded.length > 0);
  await roundTrip();
  expect(client.received(), 'before the event is durable').to.equal('');
  durable.open();
  return client.closed;
}

/** What is answered when the event cannot be stored, with what was recorded. */
export async function answerInVain(express: ExpressModule, one: Case): Promise<{ answer: string; room: TestRoom }> {
  const room = createStrictRoom({ durable: () => Promise.reject(new Error('unavailable')) });
  const answer = await openRaw(await serve(express, room, one), requestFor(one)).closed;
  return { answer, room };
}

/** A few turns of the event loop, in which bytes that were sent would have arrived. */
export async function roundTrip(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Head and body of an answer, without what differs between two runs: the clock, ids of sessions, and where a body was cut into pieces. */
export function normalised(answer: string): string {
  const end = answer.indexOf('\r\n\r\n');
  const head = answer
    .slice(0, end)
    .replace(/^Date: .*$/im, 'Date: now')
    .replace(/connect\.sid=[^;]*/, 'connect.sid=some');
  const sent = answer.slice(end + 4);
  const isChunked = /^transfer-encoding: chunked$/im.test(head);
  const { body, trailers } = isChunked ? joinChunks(sent) : { body: sent, trailers: '' };
  const isPacked = /^content-encoding: gzip$/im.test(head) && body !== '';
  const text = isPacked ? gunzipSync(Buffer.from(body, 'latin1')).toString('latin1') : body;
  return [head, text, trailers].join('\r\n\r\n');
}

/** The pieces joined, and what follows the last of them. */
function joinChunks(sent: string): { body: string; trailers: string } {
  let rest = sent;
  let body = '';
  for (;;) {
    const end = rest.indexOf('\r\n');
    const size = Number.parseInt(rest.slice(0, end), 16);
    if (end === -1 || Number.isNaN(size)) return { body, trailers: '(cut off)' };
    if (size === 0) return { body, trailers: rest.slice(end) };
    body += rest.slice(end + 2, end + 2 + size);
    rest = rest.slice(end + 2 + size + 2);
  }
}

/** Holds an answer to the refusal, and to nothing of the handler's. */
export function expectRefusal(answer: string, method: string = 'POST'): void {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(head).to.match(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
  expect(answer).not.to.include(MARK);
  expect(head).not.to.match(/^(set-cookie|location|etag|retry-after|content-encoding|transfer-encoding):/im);
  expect(head).to.match(/^Date: \w/im);
  expect(head).to.match(/^Cache-Control: no-store$/im);
  expect(head).to.match(/^Content-Type: application\/json; charset=utf-8$/im);
  if (method === 'HEAD') expect(body).to.equal('');
  else expect(JSON.parse(body)).to.include({ code: 'ERR_STRONGROOM_AUDIT_UNAVAILABLE' });
}
