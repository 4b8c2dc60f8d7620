/** The end of a room by a signal, in a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import { MongoClient } from 'mongodb';
import { strongroom } from '../src/index.js';
import { startMongod } from './mongod.js';

describe('closeOnSignals', function suite() {
  this.timeout(30_000);
  let server: MongoMemoryServer;
  let stderr = '';

  before(async () => {
    server = await startMongod();
  });
  after(() => server.stop());

  /** Code and signal with which a process ends that is asked to. */
  async function end(name: string, signal: NodeJS.Signals, env: NodeJS.ProcessEnv = {}): Promise<unknown[]> {
    const child = spawn(process.execPath, ['--import', 'tsx', 'test/signals-worker.ts'], {
      env: { ...process.env, SIGNALS_URI: server.getUri(name), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const exit = once(child, 'exit');
    await once(child.stdout, 'data');
    child.kill(signal);
    return exit;
  }

  async function stored(name: string): Promise<{ events: number; kinds: unknown[] }> {
    const client = new MongoClient(server.getUri(name));
    const entries = await client.db().collection('audit_events_ledger').find().sort({ _id: 1 }).toArray();
    const events = await client.db().collection('audit_events').countDocuments();
    await client.close();
    return { events, kinds: entries.map(({ kind }) => kind as unknown) };
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`stores what waits and closes its stream at ${signal}, and the process ends by it`, async () => {
      expect(await end(signal, signal)).to.deep.equal([null, signal]);
      const { events, kinds } = await stored(signal);
      expect(events).to.equal(1);
      expect(kinds.at(-1)).to.equal('close');
    });
  }

  it('says what it leaves in the spool before the process ends', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'strongroom-signals-'));
    // Nobody listens there.
    const env = { SIGNALS_SPOOL: directory, SIGNALS_URI: 'mongodb://127.0.0.1:1/signals' };
    expect(await end('spool', 'SIGTERM', env)).to.deep.equal([null, 'SIGTERM']);
    expect(stderr).to.contain('STRONGROOM_SPOOL_LEFT').and.to.contain('close() left 1 audit events');
    await rm(directory, { recursive: true });
  });

  it('leaves the end of the process to whoever else listens', async () => {
    expect(await end('own', 'SIGTERM', { SIGNALS_OWN: '1' })).to.deep.equal([7, null]);
    expect((await stored('own')).events).to.equal(1);
  });

  it('listens to nothing unless it is asked to, and no longer than it lives', async () => {
    const before = process.listenerCount('SIGTERM');
    strongroom({ audit: false, environment: 'test' });
    expect(process.listenerCount('SIGTERM')).to.equal(before);
    const room = strongroom({ audit: false, environment: 'test', closeOnSignals: true });
    expect(process.listenerCount('SIGTERM')).to.equal(before + 1);
    await room.close();
    expect(process.listenerCount('SIGTERM')).to.equal(before);
  });
});
