/** The way to the trail's database: the app's own connection, or one that is opened here, again and again until it stands. */
import mongoose from 'mongoose';
import type { Connection } from 'mongoose';
import { StateError } from '../errors.js';

type Db = NonNullable<Connection['db']>;

/** A connection that may not stand yet. */
export interface Link {
  /** The mongoose connection, from the start; for compiling models. */
  readonly connection: Connection;
  /** The database, once the connection stands; tries to open it where that is ours to do. Rejects when it does not stand in time. */
  database(timeoutMs: number): Promise<Db>;
  /** Calls back each time the connection comes up. */
  onConnected(listener: () => void): void;
  /** The server no longer accepts the credentials: the next use reads them anew. Nothing for the app's own connection. */
  logInAgain(): Promise<void>;
  /** Closes what was opened here. */
  close(): Promise<void>;
}

const CONNECTING = 2;

/** Who waits for a connection of the app, whatever number of rooms share it: one listener of ours hangs on it. */
const waiting = new WeakMap<Connection, Set<() => void>>();

function listenersOf(connection: Connection): Set<() => void> {
  const known = waiting.get(connection);
  if (known !== undefined) return known;
  const listeners = new Set<() => void>();
  waiting.set(connection, listeners);
  connection.on('connected', () => {
    for (const listener of listeners) listener();
  });
  return listeners;
}

/** Uses the app's own connection: it is neither opened nor closed here. */
export function useConnection(connection: Connection): Link {
  const own: (() => void)[] = [];
  return {
    connection,
    async database(timeoutMs) {
      if (connection.readyState === CONNECTING) await inTime(connection.asPromise(), timeoutMs);
      // Once open, the driver finds its way back by itself, whatever the state says meanwhile.
      if (!connection.db) throw new Error('the mongoose connection is not open');
      return connection.db;
    },
    logInAgain: () => Promise.resolve(),
    onConnected(listener) {
      listenersOf(connection).add(listener);
      own.push(listener);
    },
    close() {
      for (const listener of own) listenersOf(connection).delete(listener);
      return Promise.resolve();
    },
  };
}

/** Sized for one writer and a few readers; a command that hangs gives its socket back before the writer's next attempts pile up. */
const CLIENT_OPTIONS = {
  maxPoolSize: 10,
  serverSelectionTimeoutMS: 5000,
  connectTimeoutMS: 5000,
  socketTimeoutMS: 60_000,
  appName: 'express-strongroom',
  autoIndex: false,
  autoCreate: false,
} as const;

/** Opens a connection by a URI that is read anew at each attempt, so that a rotated password is found. */
export function openConnection(readUri: () => Promise<string>): Link {
  return new OwnConnection(readUri);
}

/** How long a shut-down waits for the server's good-bye. */
const CLOSE_MS = 1000;

class OwnConnection implements Link {
  readonly connection = mongoose.createConnection();
  readonly #readUri: () => Promise<string>;
  #opening: Promise<void> | undefined;
  #isOpen = false;
  #isClosed = false;

  constructor(readUri: () => Promise<string>) {
    this.#readUri = readUri;
    // mongoose tells failures to the promise and to this event; without a listener the event would end the process.
    this.connection.on('error', () => undefined);
  }

  async database(timeoutMs: number): Promise<Db> {
    if (this.#isClosed) throw new StateError('CLOSED', "the trail's connection is closed");
    if (!this.#isOpen) await inTime(this.#open(), timeoutMs);
    // Once open, the driver finds its way back by itself, whatever the state says meanwhile.
    if (!this.connection.db) throw new Error('the connection is not open');
    return this.connection.db;
  }

  onConnected(listener: () => void): void {
    this.connection.on('connected', listener);
  }

  async logInAgain(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.connection.close();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // mongoose waits for a connect that is under way, which may take seconds and holds the process; its client lets go of it.
    const closing = this.#opening === undefined ? this.connection.close() : this.#breakOff();
    // The driver says good-bye to the server; one that is frozen lets it wait for 15 s and more.
    await inTime(closing, CLOSE_MS).catch(() => undefined);
  }

  async #breakOff(): Promise<void> {
    // There is none before the URI is read.
    const client = this.connection.getClient() as ReturnType<Connection['getClient']> | null | undefined;
    await client?.close();
  }

  /** One attempt at a time, whoever asks. */
  #open(): Promise<void> {
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
    });
    // Whoever waits hears of a failure; when nobody waits any more it must not become an unhandled rejection.
    this.#opening.catch(() => undefined);
    return this.#opening;
  }

  /** A client that failed at its first connect stays closed for good, so each attempt opens a new one. */
  async #connect(): Promise<void> {
    const uri = await this.#readUri();
    if (this.#isClosed) throw new Error('the connection was closed');
    await this.connection.openUri(uri, CLIENT_OPTIONS);
    if (this.#isClosed) await this.connection.close();
    else this.#isOpen = true;
  }
}

/** The result, or a rejection when it takes longer; the work itself goes on. */
export async function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`MongoDB did not answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
