/** A small app with the HTTP layer mounted, on both majors of Express; what is recorded is collected. It knows no database. */
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
// @ts-expect-error -- the alias of Express 4 has no types of its own
import express4Untyped from 'express4';
import { createScopeStorage, type RequestContext, type ScopeStorage } from '../../src/audit/context.js';
import type { Origin, RecordDraft } from '../../src/audit/recording.js';
import { createIsStrict } from '../../src/audit/strict-actions.js';
import type { AuditDraft, AuditEvent, AuditHttp } from '../../src/event.js';
import { createHttpLayer, type HttpLayer, type HttpLayerParts } from '../../src/http/middleware.js';
import type { ResolvedCaptureOptions } from '../../src/http/options.js';
import { createStrictRecord } from '../../src/http/strict-record.js';

export type ExpressModule = typeof express;

/** Both majors, by name. */
export const EXPRESSES: readonly (readonly [string, ExpressModule])[] = [
  ['Express 5', express],
  ['Express 4', express4Untyped as ExpressModule],
];

/** What arrived at the trail. */
export interface Recorded {
  readonly draft: AuditDraft;
  readonly origin: Origin;
  readonly request: RequestContext;
  readonly http: AuditHttp;
}

/** A layer with what it recorded. */
export interface TestRoom extends HttpLayer {
  readonly recorded: Recorded[];
  readonly scopes: ScopeStorage;
  /** Settles, and gives the drafts so far. */
  drafts(): Promise<AuditDraft[]>;
}

export type RoomOptions = Partial<ResolvedCaptureOptions> &
  Partial<Pick<HttpLayerParts, 'helmet' | 'holdMs' | 'redact' | 'hookFailed'>> & {
    enabled?: boolean;
    timeoutMs?: number;
    /** When an event is durable; by default at once. */
    durable?: (draft: AuditDraft) => Promise<unknown>;
  };

const open: (() => unknown)[] = [];

/** Creates a layer that records into an array. */
export function createRoom(options: RoomOptions = {}): TestRoom {
  const { helmet = false, holdMs, redact, hookFailed, timeoutMs, durable, ...audit } = options;
  const recorded: Recorded[] = [];
  const scopes = createScopeStorage();
  const record: RecordDraft = (draft, origin) => {
    const request = origin.request as RequestContext;
    if (origin.source === 'api') request.sightings.noteExplicit(draft.action, draft.target, draft.targetId);
    // Roles are stored in upper case, which is the recorder's work.
    const stored = draft.actorRole === undefined ? draft : { ...draft, actorRole: draft.actorRole.toUpperCase() };
    recorded.push({ draft: stored, origin, request, http: request.http() });
    return (durable?.(draft) ?? Promise.resolve()).then(() => ({}) as AuditEvent);
  };
  const layer = createHttpLayer({
    record: createStrictRecord(record, { scopes, isStrict: createIsStrict(audit.strict) }),
    scopes,
    secrets: { get: (name: string) => Promise.resolve(`value of ${name}`) } as HttpLayerParts['secrets'],
    helmet,
    holdMs,
    redact,
    hookFailed,
    recording: { actions: [], timeoutMs: timeoutMs ?? 30_000 },
    audit: {
      tenant: undefined,
      rules: undefined,
      actor: undefined,
      requestId: undefined,
      abandonAfterMs: 300_000,
      passport: undefined,
      strict: false,
      enabled: true,
      ...audit,
    },
  });
  open.push(() => layer.close());
  return {
    ...layer,
    recorded,
    scopes,
    async drafts() {
      await layer.settle();
      return recorded.map(({ draft }) => draft);
    },
  };
}

/** Serves an app on a port of its own. */
export async function listen(app: Express): Promise<number> {
  const server = http.createServer(app);
  open.push(() => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Sends bytes as they are and gives everything that came back until the server closed the connection. */
export function sendRaw(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(Buffer.from(request, 'latin1')));
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

/** A client that shows what has arrived so far. */
export interface RawClient {
  readonly socket: net.Socket;
  received(): string;
  readonly closed: Promise<string>;
}

/** Sends bytes as they are on a connection that stays in sight. */
export function openRaw(port: number, request: string): RawClient {
  const socket = net.connect(port, '127.0.0.1', () => socket.write(Buffer.from(request, 'latin1')));
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = new Promise<string>((resolve) => socket.on('close', () => resolve(answer)));
  return { socket, received: () => answer, closed };
}

/** A request line with what HTTP asks for, on a connection that ends with the answer. */
export function rawRequest(method: string, target: string): string {
  return `${method} ${target} HTTP/1.1\r\nHost: host\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
}

/** Waits for something that can be seen, for five seconds at most. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never happened: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Sends a request and hangs up as soon as the server works on it. */
export async function hangUp(port: number, request: string, started: Promise<unknown>): Promise<void> {
  const socket = net.connect(port, '127.0.0.1', () => socket.write(request));
  socket.on('error', () => undefined);
  await started;
  socket.destroy();
}

/** An error handler as apps have them; Express tells it by its four parameters. */
// oxlint-disable-next-line max-params
export function answerError(error: { status?: number }, _req: Request, res: Response, _next: NextFunction): void {
  res.status(error.status ?? 500).end();
}

/** Closes what the tests opened. */
export async function closeAll(): Promise<void> {
  while (open.length > 0) await open.pop()?.();
}

/** A promise and what fulfils it. */
export function gate<Value = void>(): { readonly passed: Promise<Value>; open(value: Value): void } {
  let fulfil!: (value: Value) => void;
  const passed = new Promise<Value>((resolve) => (fulfil = resolve));
  return { passed, open: fulfil };
}
