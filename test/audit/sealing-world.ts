/** Writers of one ledger on a real mongod, for the tests of sealing: rooms, and single sealers whose clock and runs the test decides. It attacks nothing by itself. */
import { expect } from 'chai';
import mongoose, { type Connection } from 'mongoose';
import type { Alarm } from '../../src/audit/alarm.js';
import { type EvidenceOptions, resolveEvidenceOptions } from '../../src/audit/evidence-options.js';
import type { LedgerStore } from '../../src/audit/ledger-store.js';
import { Sealer, type SealerParts } from '../../src/audit/sealer.js';
import { findSigning } from '../../src/audit/signing.js';
import { createStream, type Stream } from '../../src/audit/stream.js';
import { type Entry, readEntry } from '../../src/evidence/entry.js';
import { generateKey, type KeyPair, readVerifierKeys } from '../../src/evidence/keys.js';
import type { LedgerDocument } from '../../src/evidence/ledger-document.js';
import type { VerifyReport } from '../../src/evidence/report.js';
import { verifyEvidence } from '../../src/evidence/verify.js';
import type { AuditEvent } from '../../src/event.js';
import {
  type AuditOptions,
  memoryProvider,
  type Strongroom,
  strongroom,
  type StrongroomOptions,
} from '../../src/index.js';
import { useConnection } from '../../src/mongo/connection.js';
import { createEvidenceSource } from '../../src/mongo/evidence-source.js';
import { createLedgerStore } from '../../src/mongo/ledger-store.js';
import { makeEvent } from './events.js';

export type LedgerDoc = Omit<LedgerDocument, 'peaks' | 'leaves'> & {
  peaks: { buffer: Buffer };
  leaves?: { buffer: Buffer };
};

export const TRAIL = 'audit_events';
const LEDGER = 'audit_events_ledger';

/** Waits for what can be seen from outside. */
export async function until(check: () => unknown, limitMs: number = 15_000): Promise<void> {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await check();
    if (answer !== false && answer !== undefined && answer !== null) return;
    if (performance.now() > end) throw new Error(`it did not come true within ${limitMs} ms: ${String(check)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The code of what a promise rejects with; `resolved` when it does not. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'resolved';
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  }
}

/** Whom a sealer of its own is. */
export interface WriterOptions extends Partial<
  Pick<SealerParts, 'anchors' | 'maxLeaves' | 'timeoutMs' | 'lagAlarmMs'>
> {
  readonly evidence?: EvidenceOptions;
  readonly key?: string | null;
  readonly now?: () => number;
  readonly store?: (store: LedgerStore) => LedgerStore;
}

/** One database with its writers. */
export class SealingWorld {
  readonly key: KeyPair = generateKey('audit.test/sealing');
  /** The admin's. */
  readonly connection: Connection;
  /** The app's, on which a room guards its collections. */
  readonly appConnection: Connection;
  readonly #rooms: Strongroom[] = [];

  constructor(connection: Connection, appConnection: Connection) {
    this.connection = connection;
    this.appConnection = appConnection;
  }

  static async open(uri: string): Promise<SealingWorld> {
    const connect = (): Promise<Connection> =>
      mongoose.createConnection(uri, { serverSelectionTimeoutMS: 2000 }).asPromise();
    return new SealingWorld(await connect(), await connect());
  }

  get trail(): ReturnType<Connection['collection']> {
    return this.connection.collection(TRAIL);
  }

  get ledger(): ReturnType<Connection['collection']> {
    return this.connection.collection(LEDGER);
  }

  /** The store as the sealer has it. */
  get store(): LedgerStore {
    return createLedgerStore({ link: useConnection(this.connection), collection: TRAIL });
  }

  async close(): Promise<void> {
    await Promise.all(this.#rooms.map((room) => room.close()));
    await this.appConnection.close();
    await this.connection.close();
  }

  /** A whole room on this database; its key is the world's. */
  room(
    evidence: EvidenceOptions | false = {},
    more: Partial<StrongroomOptions> & { trail?: AuditOptions } = {},
  ): Strongroom {
    const { trail, ...options } = more;
    const provider = memoryProvider({ AUDIT_SIGNING_KEY: this.key.signingKey });
    const audit = { connection: this.appConnection, evidence, ...trail };
    const room = strongroom({ environment: 'test', secrets: { provider }, ...options, audit });
    this.#rooms.push(room);
    return room;
  }

  /** A sealer alone: it does nothing before it is asked to. */
  writer(options: WriterOptions = {}): Writer {
    return new Writer(this, options);
  }

  async documents(): Promise<LedgerDoc[]> {
    return (await this.ledger.find().sort({ _id: 1 }).toArray()) as unknown as LedgerDoc[];
  }

  async entries(): Promise<Entry[]> {
    return (await this.documents()).map(({ entry }) => readEntry(entry) as Entry);
  }

  /** Kinds of all entries, with what they cover: `open`, `seal 0+3`. */
  async told(stream?: string): Promise<string[]> {
    const entries = await this.entries();
    return entries
      .filter((entry) => stream === undefined || ('stream' in entry && entry.stream === stream))
      .map((entry) => ('from' in entry ? `${entry.kind} ${entry.from}+${entry.count}` : entry.kind));
  }

  async verify(
    more: { keys?: string[]; deadAfterMs?: number; anchors?: string[]; now?: Date } = {},
  ): Promise<VerifyReport> {
    const keys = readVerifierKeys(more.keys ?? [this.key.vkey], 'keys');
    const source = createEvidenceSource(this.connection.db as never, TRAIL);
    return verifyEvidence(source, { now: new Date(), ...more, keys });
  }

  /** Nothing is wrong; gives the kinds of the warnings. */
  async intact(more: Parameters<SealingWorld['verify']>[0] = {}): Promise<string[]> {
    const report = await this.verify(more);
    expect(report.violations).to.deep.equal([]);
    return report.warnings.map(({ kind }) => kind);
  }
}

/** A sealer with a stream, whose events the test stores. */
export class Writer {
  readonly alarms: Alarm[] = [];
  readonly sealer: Sealer;
  readonly stream: Stream = createStream();
  readonly #world: SealingWorld;

  constructor(world: SealingWorld, { evidence = {}, key, now, store, ...parts }: WriterOptions) {
    this.#world = world;
    const options = resolveEvidenceOptions({ sealEvery: '1h', ...evidence });
    const signing = { options, isProduction: false, collection: TRAIL };
    const text = key === undefined ? world.key.signingKey : key;
    this.sealer = new Sealer({
      anchors: [],
      app: null,
      timeoutMs: 10_000,
      ...parts,
      ...(now && { now }),
      options,
      store: store?.(world.store) ?? world.store,
      raise: (alarm) => this.alarms.push(alarm),
      currentStream: () => this.id,
      findSigning: () => findSigning({ ...signing, readKey: () => Promise.resolve(text) }),
    });
  }

  get id(): string {
    return this.stream.id;
  }

  /** Stores events that the sealer does not hear of: their acknowledgement is lost, or not yet there. */
  async storeOnly(count: number, given: Partial<AuditEvent> = {}): Promise<AuditEvent[]> {
    const events = Array.from({ length: count }, () => ({
      ...makeEvent({ at: new Date(), ...given }),
      _id: this.stream.next(),
    }));
    for (let from = 0; from < count; from += 20_000) {
      await this.#world.trail.insertMany(events.slice(from, from + 20_000) as never[], { ordered: true });
    }
    return events;
  }

  /** Opens the stream, stores events and hands them over. */
  async record(count: number, given: Partial<AuditEvent> = {}): Promise<AuditEvent[]> {
    await this.sealer.open(this.id);
    const events = await this.storeOnly(count, given);
    this.sealer.add(events);
    return events;
  }

  async sealed(count: number): Promise<void> {
    await this.record(count);
    await this.sealer.seal();
  }
}
