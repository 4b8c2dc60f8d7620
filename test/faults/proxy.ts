/** A TCP proxy in front of a mongod that delays, cuts and loses, aimed at the inserts of the trail by the frames of the wire protocol. It knows nothing of who connects. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What happens to the next insert of events: at which byte the connection ends, and what the server got of it. */
export type Blow =
  /** The server gets half of the batch, then both ends are reset. */
  | 'reset in the batch'
  /** The server applies the batch; its reply never leaves the proxy, and both ends are reset. */
  | 'reply lost'
  /** The server applies the batch; the client gets half of the reply, then a reset. */
  | 'reset in the reply'
  /** The server applies the batch and nobody answers: the connection stays open. */
  | 'reply withheld';

const HEADER_BYTES = 16;
/** `insert: "audit_events"` as BSON: type, key, length, value. The ledger's name is longer, so its inserts pass. */
const INSERT = Buffer.concat([Buffer.from('\x02insert\0'), Buffer.from([13, 0, 0, 0]), Buffer.from('audit_events\0')]);

/** One proxy; its members are switched while connections stand. */
export class Proxy {
  /** Delay of every message, in each direction. */
  latencyMs = 0;
  /** Blows that were struck. */
  struck = 0;
  readonly #port: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #blows: Blow[] = [];
  #isCut = false;

  private constructor(port: number) {
    this.#port = port;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Listens in front of a port of this machine. */
  static async open(port: number): Promise<Proxy> {
    const proxy = new Proxy(port);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** The way to a database through the proxy. */
  uri(database: string): string {
    const { port } = this.#server.address() as { port: number };
    return `mongodb://127.0.0.1:${port}/${database}?directConnection=true`;
  }

  /** Strikes the next insert of events. */
  strike(blow: Blow): void {
    this.#blows.push(blow);
  }

  /** Takes the blow that the next insert gets. */
  takeBlow(): Blow | undefined {
    const blow = this.#blows.shift();
    if (blow !== undefined) this.struck += 1;
    return blow;
  }

  /** Ends every connection and resets each new one. */
  cut(): void {
    this.#isCut = true;
    for (const pair of this.#pairs) pair.reset();
  }

  /** Lets new connections through again. */
  mend(): void {
    this.#isCut = false;
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    if (this.#isCut) return void client.resetAndDestroy();
    const pair = new Pair(client, connect(this.#port, '127.0.0.1'), this);
    this.#pairs.add(pair);
    pair.onEnd = () => this.#pairs.delete(pair);
  }
}

/** A client's connection and the one to the server that belongs to it. */
class Pair {
  onEnd: () => void = () => undefined;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #proxy: Proxy;
  readonly #toServer: Delayed;
  readonly #toClient: Delayed;
  /** The insert whose reply a blow waits for. */
  #awaited: { id: number; blow: Blow } | undefined;

  constructor(client: Socket, server: Socket, proxy: Proxy) {
    this.#client = client;
    this.#server = server;
    this.#proxy = proxy;
    this.#toServer = new Delayed(server, proxy);
    this.#toClient = new Delayed(client, proxy);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => this.reset());
    }
    readMessages(client, (message) => this.#fromClient(message));
    readMessages(server, (message) => this.#fromServer(message));
  }

  reset(): void {
    if (!this.#client.destroyed) this.#client.resetAndDestroy();
    if (!this.#server.destroyed) this.#server.resetAndDestroy();
    this.onEnd();
  }

  #fromClient(message: Buffer): void {
    const blow = message.includes(INSERT) ? this.#proxy.takeBlow() : undefined;
    if (blow === 'reset in the batch') {
      // Flushed before the reset: the server must have begun to read it.
      this.#server.write(message.subarray(0, message.length / 2), () => this.reset());
      return;
    }
    if (blow !== undefined) this.#awaited = { id: message.readInt32LE(4), blow };
    this.#toServer.write(message);
  }

  #fromServer(message: Buffer): void {
    const { id, blow } = this.#awaited ?? {};
    if (id === undefined || message.readInt32LE(8) !== id) return this.#toClient.write(message);
    this.#awaited = undefined;
    if (blow === 'reply withheld') return undefined;
    if (blow === 'reply lost') return this.reset();
    this.#client.write(message.subarray(0, message.length / 2), () => this.reset());
    return undefined;
  }
}

/** Writes messages later, in their order. */
class Delayed {
  readonly #socket: Socket;
  readonly #proxy: Proxy;
  readonly #waiting: Buffer[] = [];

  constructor(socket: Socket, proxy: Proxy) {
    this.#socket = socket;
    this.#proxy = proxy;
  }

  write(message: Buffer): void {
    if (this.#proxy.latencyMs === 0 && this.#waiting.length === 0) return this.#send(message);
    this.#waiting.push(message);
    // Whichever timer ends first sends the oldest message: the order stays when the latency changes.
    setTimeout(() => this.#send(this.#waiting.shift()), this.#proxy.latencyMs);
  }

  #send(message: Buffer | undefined): void {
    if (message !== undefined && !this.#socket.destroyed) this.#socket.write(message);
  }
}

/** Calls back with each whole message of the wire protocol. */
function readMessages(socket: Socket, take: (message: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= HEADER_BYTES && rest.length >= rest.readInt32LE(0)) {
      const length = rest.readInt32LE(0);
      const message = rest.subarray(0, length);
      rest = rest.subarray(length);
      take(message);
    }
  });
}
