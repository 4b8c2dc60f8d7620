/** A mongod that tests may kill, freeze and start again on the same port and data. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { findMongod } from './mongod.js';

/** Access control: who the tests are, and what makes that user when the server first runs. */
export interface Access {
  /** User and password, as in a URI. */
  readonly credentials: string;
  /** Gets a URI without credentials, while the server has no user yet. */
  prepare(uri: string): Promise<void>;
}

/** One server process at a time, always on the same port and folder. */
export class KillableMongod {
  readonly uri: string;
  readonly #port: number;
  readonly #path: string;
  readonly #folder: string;
  readonly #access: Access | null;
  #isPrepared: boolean;
  #process: ChildProcess | undefined;

  private constructor(at: { port: number; path: string; folder: string }, access: Access | null) {
    this.#port = at.port;
    this.#path = at.path;
    this.#folder = at.folder;
    this.#access = access;
    this.#isPrepared = access === null;
    this.uri = this.#uriFor(access === null ? '' : `${access.credentials}@`);
  }

  /** Chooses a port and a folder; starts nothing. */
  static async create(access: Access | null = null): Promise<KillableMongod> {
    const { path } = await findMongod();
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-mongod-'));
    return new KillableMongod({ port: await freePort(), path, folder }, access);
  }

  /** Starts the server and waits until it takes writes. */
  async start(): Promise<void> {
    const args = ['--port', String(this.#port), '--dbpath', this.#folder, '--bind_ip', '127.0.0.1', '--quiet'];
    if (this.#access !== null) args.push('--auth');
    this.#process = spawn(this.#path, args, { stdio: 'ignore' });
    const client = new MongoClient(this.#uriFor(''), { serverSelectionTimeoutMS: 20_000 });
    await client.db('admin').command({ ping: 1 });
    await client.close();
    if (!this.#isPrepared) await this.#access?.prepare(this.#uriFor(''));
    this.#isPrepared = true;
  }

  /** Ends the process at once, as a power cut would. */
  async kill(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    if (process === undefined || process.exitCode !== null) return;
    const exit = once(process, 'exit');
    process.kill('SIGKILL');
    await exit;
  }

  /** Stops the process without ending it: it holds its sockets and answers nothing. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  /** Lets a frozen process go on. */
  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Ends the process and removes its data. */
  async dispose(): Promise<void> {
    this.thaw();
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #uriFor(login: string): string {
    return `mongodb://${login}127.0.0.1:${this.#port}/audit?directConnection=true`;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}
