/** Keeps back what a handler answers, as if it were sent, until it may leave or is replaced. It knows no rule and no trail. */
import { type OutgoingHttpHeaders, type ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http';
import { callNative, sendRefusal } from './refusal.js';
import { beginHead } from './sent-status.js';

/** Whom a hold asks and tells. */
export interface HoldParts {
  /** Asked once, when the status is known: false lets the answer through. MUST NOT throw. */
  readonly isNeeded: () => boolean;
  /** Told once, when the handler would have sent the first bytes. */
  readonly onBegun: () => void;
  /** Told once, never from within a call of the handler: the answer is complete, or more of it waits than is kept. MUST NOT throw. */
  readonly onDecided: () => void;
}

/** What is kept of an answer that is not complete; as much as one read of a file gives. */
const MAX_HELD_BYTES = 64 * 1024;

type Method = 'writeHead' | 'write' | 'end' | 'flushHeaders' | 'writeEarlyHints' | 'writeProcessing';
type Methods = Record<Method, (...args: unknown[]) => unknown>;

/** The response with the two members of Node that say how far it is; middleware reads them too (express-session, compression, morgan). */
interface Outgoing extends Methods, Omit<ServerResponse, Method | 'finished'> {
  _header: string | null;
  finished: boolean;
}

interface Head {
  /** What `writeHead` was called with; null: Node would have called it by itself. */
  readonly args: unknown[] | null;
  readonly statusCode: number;
  readonly statusMessage: string;
}

/**
 * Stands between the handler, with all middleware behind it, and the response. What the handler calls is noted, and called in the same order when it
 * may leave, so that the bytes are those that would have been sent; middleware in front sees them then.
 */
export class Hold {
  readonly #res: Outgoing;
  readonly #parts: HoldParts;
  readonly #original: Methods;
  /** The head had left before; then only the rest is kept back. */
  readonly #hasLeft: boolean;
  #state: 'holding' | 'passing' | 'refused' = 'holding';
  #head: Head | null = null;
  #isImplicit = false;
  #isNeeded: boolean | undefined;
  #calls: { readonly method: Method; readonly args: unknown[] }[] = [];
  #bytes = 0;
  #isBegun = false;
  #isEnded = false;
  #isDueSoon = false;
  #isDecided = false;
  #isDrainAwaited = false;

  constructor(res: ServerResponse, parts: HoldParts) {
    this.#res = res as unknown as Outgoing;
    this.#parts = parts;
    this.#hasLeft = res.headersSent;
    if (this.#hasLeft) this.#isNeeded = true;
    const { writeHead, write, end, flushHeaders, writeEarlyHints, writeProcessing } = this.#res;
    this.#original = { writeHead, write, end, flushHeaders, writeEarlyHints, writeProcessing };
    this.#replaceMethods();
  }

  /** Whether nothing has been let through or refused yet. */
  get isHolding(): boolean {
    return this.#state === 'holding';
  }

  /** The answer counts as it is so far. One that broke off counts as none: nobody got it, and its handler may still end it. */
  decide(): void {
    const isBroken = this.#res.destroyed && !this.#isEnded;
    if (this.#isDecided || isBroken || this.#state !== 'holding') return;
    this.#isDecided = true;
    this.#parts.onDecided();
  }

  /** Lets the answer leave, and what follows pass. Gives what the last call gave. Throws what Node or middleware in front throws. */
  release(): unknown {
    if (this.#state !== 'holding') return undefined;
    this.#state = 'passing';
    this.#uncover();
    const result = this.#replay();
    const isDrainOurs = this.#isDrainAwaited && !this.#isEnded && !this.#res.writableNeedDrain;
    if (isDrainOurs) this.#res.emit('drain');
    return result;
  }

  /** Answers 503 instead, with the headers from before the handler. Where the head had left already the connection is cut. */
  refuse(headersBefore: OutgoingHttpHeaders): void {
    if (this.#state !== 'holding') return;
    this.#state = 'refused';
    const calls = this.#calls;
    this.#calls = [];
    this.#uncover();
    if (this.#hasLeft) this.#res.destroy();
    else sendRefusal(this.#res as unknown as ServerResponse, headersBefore);
    // No error: what would the handler do about it? It is answered.
    for (const { args } of calls) callBack(args);
  }

  #replaceMethods(): void {
    const on = (method: Method, hold: (args: unknown[]) => unknown): void => {
      const original = this.#original[method];
      this.#res[method] = (...args: unknown[]): unknown => {
        if (this.#state === 'holding') return hold(args);
        if (this.#state === 'passing') return Reflect.apply(original, this.#res, args);
        // The handler goes on and does not know. For Node the response has ended: its complaint would be an error nobody listens to.
        callBack(args);
        if (method === 'write') return true;
        return method === 'flushHeaders' ? undefined : this.#res;
      };
    };
    on('writeHead', (args) => this.#writeHead(args));
    on('write', (args) => this.#write(args));
    on('end', (args) => this.#end(args));
    on('flushHeaders', () => this.#flushHeaders());
    // Hints would tell what the answer will be, and too late to be of use. Nothing that a handler says leaves before its act is durable.
    on('writeEarlyHints', (args) => callBack(args));
    on('writeProcessing', (args) => callBack(args));
  }

  #writeHead(args: unknown[]): unknown {
    const res = this.#res;
    const [status, second, third] = args;
    const statusCode = Number(status) | 0;
    // Node says no, in its own words.
    if (res.headersSent || statusCode < 100 || statusCode > 999) return callNative(res, 'writeHead', args);
    assertHeaders(typeof second === 'string' ? third : (second ?? third), this.#takesPairs());
    res.statusCode = statusCode;
    if (typeof second === 'string') res.statusMessage = second;
    this.#head = { args: this.#isImplicit ? null : args, statusCode, statusMessage: res.statusMessage };
    // As when Node has written it: `headersSent` is true, and headers can no longer be set.
    res._header = beginHead(statusCode);
    if (!this.#isImplicit && !this.#mustHold()) this.release();
    return res;
  }

  /** Node takes no list of pairs beside other headers; what stands in its place in front (on-headers) does. */
  #takesPairs(): boolean {
    const native = (Object.getPrototypeOf(this.#res) as Outgoing).writeHead;
    return this.#original.writeHead !== native || this.#res.getHeaderNames().length === 0;
  }

  /** As Node does before the first byte: through `writeHead`, since middleware behind adds its headers there. */
  #completeHead(): void {
    if (this.#res.headersSent) return;
    this.#isImplicit = true;
    try {
      this.#res.writeHead(this.#res.statusCode);
    } finally {
      this.#isImplicit = false;
    }
  }

  #write(args: unknown[]): unknown {
    const [chunk, encoding] = args;
    // What nobody gets any more is not kept.
    if (this.#isEnded || this.#res.destroyed || !isChunk(chunk)) return this.#refer('write', args);
    this.#completeHead();
    const bytes = typeof chunk === 'string' ? Buffer.byteLength(chunk, encodingOf(encoding)) : chunk.byteLength;
    return this.#keep('write', args, bytes);
  }

  #flushHeaders(): void {
    if (this.#isEnded) return;
    this.#completeHead();
    this.#keep('flushHeaders', [], 0);
  }

  #keep(method: Method, args: unknown[], bytes: number): unknown {
    this.#calls.push({ method, args });
    if (!this.#mustHold()) return this.release();
    this.#begin();
    this.#bytes += bytes;
    if (this.#bytes <= MAX_HELD_BYTES) return true;
    this.#isDrainAwaited = true;
    this.#decideSoon();
    return false;
  }

  /** What the handler still says in the same breath counts: it does so too where nothing is held, since a socket takes its time. */
  #decideSoon(): void {
    if (this.#isDueSoon) return;
    this.#isDueSoon = true;
    setImmediate(() => {
      this.#isDueSoon = false;
      this.decide();
    });
  }

  #begin(): void {
    if (this.#isBegun || this.#isDecided) return;
    this.#isBegun = true;
    this.#parts.onBegun();
  }

  #end(args: unknown[]): unknown {
    const [chunk] = args;
    const isBody = Boolean(chunk) && typeof chunk !== 'function';
    // A second end, or no body at all: Node knows what to say, and middleware in front need not hear of it.
    if (this.#isEnded || (isBody && !isChunk(chunk))) return this.#refer('end', args);
    this.#completeHead();
    this.#calls.push({ method: 'end', args });
    if (!this.#mustHold()) {
      this.release();
      return this.#res;
    }
    this.#cover();
    this.#decideSoon();
    return this.#res;
  }

  /** Lets Node say what it says of a call that is wrong; nothing leaves by it. */
  #refer(method: 'write' | 'end', args: unknown[]): unknown {
    const res = this.#res;
    res.finished = this.#isEnded;
    try {
      return callNative(res, method, args);
    } finally {
      res.finished = false;
    }
  }

  #mustHold(): boolean {
    this.#isNeeded ??= this.#parts.isNeeded();
    return this.#isNeeded;
  }

  /** For the app the response has ended. Not for Node: `server.close()` would take the connection for an idle one, and cut it. */
  #cover(): void {
    this.#isEnded = true;
    Object.defineProperty(this.#res, 'writableEnded', { configurable: true, get: () => true });
  }

  #uncover(): void {
    const res = this.#res;
    if (this.#head !== null) {
      res._header = null;
      res.statusCode = this.#head.statusCode;
      res.statusMessage = this.#head.statusMessage;
    }
    if (this.#isEnded) delete (res as { writableEnded?: boolean }).writableEnded;
  }

  #replay(): unknown {
    const res = this.#res;
    const calls = this.#calls;
    const { writeHead } = res;
    let result: unknown;
    this.#calls = [];
    // Node calls `writeHead` for a head that nobody wrote; middleware behind has seen it already.
    res.writeHead = this.#original.writeHead;
    try {
      if (this.#head?.args) res.writeHead(...this.#head.args);
      for (const { method, args } of calls) result = Reflect.apply(this.#original[method], res, args);
    } finally {
      res.writeHead = writeHead;
    }
    return result;
  }
}

function callBack(args: readonly unknown[]): void {
  const callback = args.at(-1);
  if (typeof callback === 'function') process.nextTick(callback);
}

function isChunk(chunk: unknown): chunk is string | Uint8Array {
  return typeof chunk === 'string' || chunk instanceof Uint8Array;
}

function encodingOf(encoding: unknown): BufferEncoding {
  return typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8';
}

/** Node would look at them only when the answer leaves, where nobody catches what it throws. */
function assertHeaders(headers: unknown, takesPairs: boolean): void {
  if (typeof headers !== 'object' || headers === null) return;
  for (const [name, value] of pairsOf(headers, takesPairs)) {
    validateHeaderName(name);
    validateHeaderValue(name, value as string);
  }
}

/** Headers come as an object, as a flat list, or as a list of pairs. */
function pairsOf(headers: object, takesPairs: boolean): [string, unknown][] {
  if (!Array.isArray(headers)) return Object.entries(headers).filter(([name]) => name !== '');
  if (takesPairs && Array.isArray(headers[0])) return headers as [string, unknown][];
  return headers.flatMap((name: string, index) => (index % 2 === 0 ? [[name, headers[index + 1]]] : [])) as [
    string,
    unknown,
  ][];
}
