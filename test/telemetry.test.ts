/** Telemetry with a real SDK: what a Prometheus server scrapes from a room on a real mongod, and what happens without an SDK. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { expect } from 'chai';
import express from 'express';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import {
  type AuditOptions,
  memoryProvider,
  strongroom,
  type Strongroom,
  type StrongroomOptions,
} from '../src/index.js';
import { openMetering } from '../src/metering.js';
import { METRICS } from '../src/metrics.js';
import { startMongod } from './mongod.js';

const SECRET = 'correct-horse-battery';

describe('telemetry', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryServer;
  let databases = 0;
  const cleanups: (() => unknown)[] = [];

  before(async () => {
    server = await startMongod();
  });
  after(async () => {
    await server.stop();
  });
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean();
  });

  async function open(audit: Partial<AuditOptions> = {}, more: Partial<StrongroomOptions> = {}): Promise<Strongroom> {
    const uri = server.getUri(`telemetry_${(databases += 1)}`);
    const secrets = { provider: memoryProvider({ API_KEY: SECRET }) };
    const room = strongroom({ environment: 'test', helmet: false, secrets, audit: { uri, ...audit }, ...more });
    cleanups.push(() => room.close());
    await room.ready();
    return room;
  }

  /** Starts an SDK; gives what a scrape over HTTP answers. */
  async function startSdk(): Promise<() => Promise<string>> {
    const exporter = new PrometheusExporter({ preventServerStart: true });
    const provider = new MeterProvider({ readers: [exporter] });
    metrics.setGlobalMeterProvider(provider);
    cleanups.push(() => (metrics.disable(), provider.shutdown()));
    const app = express();
    app.get('/metrics', (req, res) => exporter.getMetricsRequestHandler(req, res));
    const url = await serve(app);
    return async () => (await fetch(`${url}/metrics`)).text();
  }

  async function serve(app: express.Express): Promise<string> {
    const listening = http.createServer(app);
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => (listening.closeAllConnections(), new Promise((resolve) => listening.close(resolve))));
    return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  }

  /** The value of a line, by its name and the labels that are ours; undefined where there is none. */
  function valueIn(page: string, name: string, labels: Record<string, string> = {}): number | undefined {
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const line = page
      .split('\n')
      .find((text) => text.startsWith(`${name}{`) && wanted.every((label) => text.includes(label)));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  }
  const actionsIn = (page: string) =>
    [...page.matchAll(/^audit_events_total\{action="([^"]+)".*\} (\d+)$/gm)].map(([, action, count]) => [
      action,
      Number(count),
    ]);

  it('gives Prometheus the events by action, over HTTP', async () => {
    const scrape = await startSdk();
    const room = await open();
    const app = express();
    app.use(room);
    app.post('/login', (req, res) => {
      if (req.query['ok'] === undefined) return void res.sendStatus(401);
      req.audit.outcome({ actor: { id: 'u1' } });
      return void res.sendStatus(200);
    });
    const url = await serve(app);
    for (const path of ['/login', '/login', '/login?ok']) await fetch(url + path, { method: 'POST' });
    await room.audit.record({ action: 'user.delete', target: 'user', targetId: 'u2' });
    await room.audit.flush();
    const page = await scrape();
    expect(actionsIn(page)).to.have.deep.members([
      ['auth.login', 3],
      ['user.delete', 1],
    ]);
    expect(page).to.match(/^# TYPE audit_events_total counter$/m);
    expect(page).to.match(/^# HELP audit_events_total Events stored, by action$/m);
  });

  it('names actions that the app registered, and takes all others together', async () => {
    const scrape = await startSdk();
    const rules = [{ method: 'POST', path: '/orders', action: 'order.create' }];
    const room = await open({ actions: ['order.refund'], rules });
    const made = Array.from({ length: 20 }, (_, n) => `made.up_${n}`);
    await Promise.all(
      ['order.refund', 'order.create', ...made].map((action) => room.audit.record({ action, actorId: 'u1' })),
    );
    expect(actionsIn(await scrape())).to.have.deep.members([
      ['order.refund', 1],
      ['order.create', 1],
      ['other', 20],
    ]);
  });

  it('has every metric of the table, and no other', async () => {
    const scrape = await startSdk();
    const room = await open();
    await room.audit.record({ action: 'user.update' });
    const types = { counter: 'counter', sum: 'gauge', gauge: 'gauge', histogram: 'histogram' };
    const page = await scrape();
    const found = [...page.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    const expected = Object.entries(METRICS).map(([name, { kind }]) => {
      const suffix = kind === 'counter' ? '_total' : '';
      return `${name.replaceAll('.', '_')}${suffix} ${types[kind]}`;
    });
    expect(found.filter((line) => !line.startsWith('target_info'))).to.have.members(expected);
    for (const { description, unit } of Object.values(METRICS)) {
      expect(page).to.include(description);
      expect(page).to.include(` ${unit}\n`);
    }
  });

  it('tells batches and the time that writes take', async () => {
    const scrape = await startSdk();
    const room = await open();
    await Promise.all(Array.from({ length: 30 }, () => room.audit.record({ action: 'user.update' })));
    await room.audit.record({ action: 'user.update' });
    const page = await scrape();
    expect(valueIn(page, 'audit_batch_size_sum')).to.equal(31);
    const batches = valueIn(page, 'audit_batch_size_count');
    expect(valueIn(page, 'audit_batch_size_bucket', { le: '1' })).to.equal(1);
    expect(valueIn(page, 'audit_batch_size_bucket', { le: '+Inf' })).to.equal(batches);
    expect(valueIn(page, 'audit_write_duration_count')).to.equal(batches);
    expect(valueIn(page, 'audit_write_duration_sum')).to.be.within(0.000_01, 5);
    expect(page).not.to.include('error_type');
    for (const name of ['audit_queue_depth', 'audit_queue_memory', 'audit_queue_age', 'audit_lost_total']) {
      expect(valueIn(page, name), name).to.equal(0);
    }
  });

  it('tells what waits, what is sent again and what is lost while MongoDB is away', async () => {
    const scrape = await startSdk();
    const uri = 'mongodb://127.0.0.1:1/away?serverSelectionTimeoutMS=20';
    const room = strongroom({ environment: 'test', audit: { uri, evidence: false } });
    cleanups.push(() => room.close({ timeout: 1 }));
    const recorded = Promise.allSettled([1, 2, 3].map(() => room.audit.record({ action: 'user.update' })));
    let page = '';
    const deadline = Date.now() + 20_000;
    while (!((valueIn(page, 'audit_write_retries_total') ?? 0) > 0)) {
      expect(Date.now(), 'sent again in time').to.be.below(deadline);
      page = await scrape();
    }
    expect(valueIn(page, 'audit_queue_depth')).to.equal(3);
    expect(valueIn(page, 'audit_queue_memory')).to.equal(room.audit.stats().pendingBytes);
    expect(valueIn(page, 'audit_queue_age')).to.be.within(0.01, 10);
    expect(valueIn(page, 'audit_write_duration_count', { error_type: 'unknown' })).to.be.above(0);
    await room.close({ timeout: 1 });
    await recorded;
    page = await scrape();
    expect(valueIn(page, 'audit_lost_total')).to.equal(3);
    for (const name of ['audit_queue_depth', 'audit_queue_memory', 'audit_queue_age']) {
      expect(valueIn(page, name), name).to.equal(0);
    }
  });

  it('counts what the guard refused, hooks that failed, and reads of secrets', async () => {
    const scrape = await startSdk();
    const room = await open({}, { hooks: { events: { 'audit:recorded': () => Promise.reject(new Error('mine')) } } });
    const before = await scrape();
    await room.audit.record({ action: 'user.update' });
    await room.audit.model.deleteMany({}).catch(() => undefined);
    for (let n = 0; n < 5; n += 1) await room.secrets.get('API_KEY');
    const page = await scrape();
    const grown = (name: string) => (valueIn(page, name) ?? NaN) - (valueIn(before, name) ?? NaN);
    expect(grown('audit_blocked_total')).to.equal(1);
    expect(grown('hooks_errors_total')).to.equal(1);
    expect(grown('secrets_hits_total')).to.equal(4);
    expect(grown('secrets_misses_total')).to.equal(1);
  });

  it('counts calls to a provider that failed', async () => {
    const scrape = await startSdk();
    const provider = { name: 'vault', get: () => Promise.reject(new Error('down')) };
    const room = await open({ evidence: false }, { secrets: { provider } });
    const before = valueIn(await scrape(), 'secrets_provider_errors_total') ?? NaN;
    await room.secrets.get('API_KEY').catch(() => undefined);
    expect(valueIn(await scrape(), 'secrets_provider_errors_total')).to.equal(before + 1);
  });

  it('shows no secret, no person and no address', async () => {
    const scrape = await startSdk();
    const room = await open();
    await room.secrets.get('API_KEY');
    const personal = { actorId: 'u-ada', targetId: 't-bob', ipAddress: '203.0.113.7', userAgent: 'curl/8' };
    await room.audit.record({ action: 'sent.by.ada@example.com', reason: SECRET, meta: { SECRET }, ...personal });
    const page = await scrape();
    expect(page).to.include('audit_events_total{action="other"');
    for (const text of [SECRET, 'API_KEY', 'u-ada', 'example.com', 't-bob', '203.0.113', 'curl'])
      expect(page).not.to.include(text);
  });

  it('finds an SDK that is started after the room', async () => {
    const room = await open();
    await room.audit.record({ action: 'user.update' });
    const scrape = await startSdk();
    await room.audit.record({ action: 'user.update' });
    expect(actionsIn(await scrape())).to.deep.equal([['user.update', 2]]);
  });

  it('adds up the rooms of a process, and never goes back when one is closed', async () => {
    const scrape = await startSdk();
    const rooms = [await open(), await open()];
    for (const room of rooms) await room.audit.record({ action: 'user.create' });
    const counted = () =>
      scrape().then((page) => new Map(actionsIn(page) as [string, number][]).get('user.create') ?? 0);
    const before = await counted();
    await rooms[0]?.close();
    expect(await counted()).to.equal(before);
    await rooms[1]?.audit.record({ action: 'user.create' });
    expect(await counted()).to.equal(before + 1);
  });

  it('counts nothing of a trail that is switched off, and its secrets all the same', async () => {
    const scrape = await startSdk();
    const room = strongroom({ environment: 'test', secrets: { provider: memoryProvider({ A: 'a' }) }, audit: false });
    cleanups.push(() => room.close());
    await room.ready();
    const before = await scrape();
    await room.audit.record({ action: 'device.trust' });
    await room.secrets.get('A');
    const page = await scrape();
    expect(actionsIn(page)).to.deep.equal([]);
    expect(valueIn(page, 'secrets_misses_total')).to.equal((valueIn(before, 'secrets_misses_total') ?? 0) + 1);
  });

  it('forgets what still waited when its room has gone, and keeps what it had counted', async () => {
    const scrape = await startSdk();
    const source = {
      read: () => [{ name: 'audit.queue.depth', value: 5 } as const, { name: 'audit.lost', value: 7 } as const],
    };
    await openMetering().loaded;
    openMetering().join(source);
    const during = await scrape();
    openMetering().leave(source);
    const after = await scrape();
    const figures = (page: string) => [valueIn(page, 'audit_queue_depth'), valueIn(page, 'audit_lost_total')];
    expect([figures(during), figures(after)]).to.deep.equal([
      [5, 7],
      [0, 7],
    ]);
  });
});
