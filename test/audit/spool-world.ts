/** Rooms with a spool on a mongod that tests may kill, one trail and one directory a test. It damages nothing by itself. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { MongoClient, type Collection } from 'mongodb';
import { generateKey, type KeyPair } from '../../src/evidence/keys.js';
import type { AuditEvent } from '../../src/event.js';
import { type AuditOptions, memoryProvider, type Strongroom, strongroom } from '../../src/index.js';
import { filesUnder } from '../files-under.js';
import { KillableMongod } from '../killable-mongod.js';

/** One server, and what the tests keep on it. */
export class SpoolWorld {
  readonly #server: KillableMongod;
  #isUp = true;
  readonly key: KeyPair = generateKey('audit.test/spool');
  /** The directory of the running test. */
  directory = '';
  /** The collection of the running test. */
  collection = '';
  readonly #client: MongoClient;
  readonly #rooms: Strongroom[] = [];
  #tests = 0;

  private constructor(server: KillableMongod) {
    this.#server = server;
    this.#client = new MongoClient(server.uri);
  }

  static async open(): Promise<SpoolWorld> {
    const server = await KillableMongod.create();
    await server.start();
    return new SpoolWorld(server);
  }

  get uri(): string {
    return this.#server.uri;
  }

  /** The trail of the running test. */
  get events(): Collection<AuditEvent> {
    return this.#client.db().collection<AuditEvent>(this.collection);
  }

  /** Begins a test. */
  async begin(): Promise<void> {
    this.#tests += 1;
    this.collection = `events_${this.#tests}`;
    this.directory = await mkdtemp(join(tmpdir(), 'strongroom-spool-'));
  }

  /** Ends a test: the server is up again, all rooms are closed. */
  async end(): Promise<void> {
    await this.start();
    await Promise.all(this.#rooms.splice(0).map((room) => room.close({ timeout: 0 })));
    await rm(this.directory, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await this.#client.close();
    await this.#server.dispose();
  }

  /** Takes MongoDB away. */
  async kill(): Promise<void> {
    this.#isUp = false;
    await this.#server.kill();
  }

  /** Brings it back. */
  async start(): Promise<void> {
    if (!this.#isUp) await this.#server.start();
    this.#isUp = true;
  }

  /** A room with a spool. */
  room(audit: Partial<AuditOptions> = {}): Strongroom {
    const room = strongroom({
      environment: 'test',
      secrets: { provider: memoryProvider({ AUDIT_SIGNING_KEY: this.key.signingKey }) },
      audit: {
        uri: this.#server.uri,
        collection: this.collection,
        actions: ['test.act'],
        spool: { directory: this.directory },
        evidence: { sealEvery: '50ms', deadAfter: '1s' },
        ...audit,
      },
    });
    this.#rooms.push(room);
    return room;
  }

  /** All that is stored, in the order of the numbers. */
  async stored(): Promise<AuditEvent[]> {
    return this.events.find().sort({ _id: 1 }).toArray();
  }

  /** All files of the spool, by their paths. */
  async files(): Promise<string[]> {
    return filesUnder(this.directory);
  }

  /** The files that hold events. */
  async segments(): Promise<string[]> {
    return (await this.files()).filter((path) => path.endsWith('.log')).sort();
  }

  /** All text on disk. */
  async text(): Promise<string> {
    // Processes that live take files away meanwhile.
    const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
    const texts = await Promise.all((await this.files()).map(read));
    return texts.join('');
  }

  /** Permissions of all that stays in the directory, as octal text. */
  async modes(): Promise<{ files: string[]; folders: string[] }> {
    const modes = { files: new Set<string>(), folders: new Set<string>() };
    for (const path of await this.files()) {
      const found = await Promise.all([stat(path), stat(dirname(path))]).catch(() => []);
      const [file, folder] = found.map(({ mode }) => (mode & 0o777).toString(8));
      if (file === undefined || folder === undefined) continue;
      modes.files.add(file);
      modes.folders.add(folder);
    }
    return { files: [...modes.files], folders: [...modes.folders] };
  }

  /** Nothing is wrong with the trail; gives the kinds of the warnings. */
  async intact(room: Strongroom): Promise<string[]> {
    const report = await room.audit.verify({ keys: [this.key.vkey] });
    expect(report.violations.slice(0, 3)).to.deep.equal([]);
    return [...new Set(report.warnings.map(({ kind }) => kind))];
  }
}

/** Records numbered events, a few at a time; gives their `_id`s. */
export async function recordMany(room: Strongroom, count: number, atATime: number = 20): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 0; from < count; from += atATime) {
    const group = Array.from({ length: Math.min(atATime, count - from) }, (_, index) =>
      room.audit.record({ action: 'test.act', meta: { n: from + index } }),
    );
    ids.push(...(await Promise.all(group)).map(({ _id }) => _id));
  }
  return ids;
}

/** Numbers 0 to count - 1. */
export function numbersTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** The numbers that `recordMany` gave, as they are stored. */
export function numbersOf(events: readonly AuditEvent[]): unknown[] {
  return events.filter(({ action }) => action === 'test.act').map(({ meta }) => meta['n']);
}
