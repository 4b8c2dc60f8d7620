/** 500 requests a second while MongoDB is gone for half of the time: nobody who waits for an answer notices. STRONGROOM_FAULTS_LONG=1 makes it ten minutes. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { KillableMongod } from '../killable-mongod.js';
import type { ShopSetup, ShopWord } from './load-server.js';
import { isLong, scenario, MODES } from './scenario.js';

const PER_SECOND = 500;
const TICK_MS = 1;
const WARM_UP_S = isLong ? 20 : 5;
const BASELINE_S = isLong ? 120 : 8;
/** MongoDB is there for a quarter of it, away for half of it, and there again. */
const OUTAGE_S = isLong ? 600 : 16;
const MAX_RATIO = 1.5;
/** What others do on the machine slows one round down, what the package does slows all of them. */
const ROUNDS = isLong ? 1 : 3;

/** Latencies of one stretch, from the moment at which a request was due. */
class Stretch {
  failed = 0;
  readonly #latencies: number[] = [];

  get requests(): number {
    return this.#latencies.length;
  }

  /** The nth request. */
  add(nth: number, latencyMs: number, status: number | undefined): void {
    this.#latencies[nth] = latencyMs;
    if (status !== 200) this.failed += 1;
  }

  /** Of all requests, or of those that were due in a part of the stretch. */
  percentile(part: number, [from, to]: readonly [number, number] = [0, 1]): number {
    const { length } = this.#latencies;
    const sorted = this.#latencies.slice(from * length, to * length).sort((left, right) => left - right);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  }
}

/** Sends at the pace of a crowd: whoever has to wait does not make the others come later. */
class Crowd {
  sent = 0;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 128 });
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  async run(seconds: number): Promise<Stretch> {
    const stretch = new Stretch();
    const begin = performance.now();
    const total = seconds * PER_SECOND;
    const answered: Promise<void>[] = [];
    while (answered.length < total) {
      const due = Math.min(total, Math.floor(((performance.now() - begin) / 1000) * PER_SECOND));
      while (answered.length < due) {
        answered.push(this.#send(stretch, answered.length, begin + (answered.length / PER_SECOND) * 1000));
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    await Promise.all(answered);
    return stretch;
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(stretch: Stretch, nth: number, dueMs: number): Promise<void> {
    this.sent += 1;
    const body = JSON.stringify({ id: `u${this.sent}` });
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const place = { host: '127.0.0.1', port: this.#port, path: '/auth/login', method: 'POST', agent: this.#agent };
    return new Promise((resolve) => {
      const settle = (status?: number): void => {
        stretch.add(nth, performance.now() - dueMs, status);
        resolve();
      };
      const request = http.request({ ...place, headers }, (response) => {
        response.resume().once('end', () => settle(response.statusCode));
      });
      request.once('error', () => settle()).end(body);
    });
  }
}

function startShop(setup: ShopSetup): ChildProcess {
  const script = fileURLToPath(new URL('load-server.ts', import.meta.url));
  return fork(script, {
    env: { ...process.env, FAULTS_SHOP: JSON.stringify(setup) },
    execArgv: ['--import', 'tsx'],
  });
}

async function hear(child: ChildProcess): Promise<ShopWord> {
  const [word] = (await once(child, 'message')) as [ShopWord];
  return word;
}

const figures = (of: Stretch, part?: readonly [number, number]): string =>
  `p50 ${of.percentile(0.5, part).toFixed(1)}, p99 ${of.percentile(0.99, part).toFixed(1)} ms`;

/** One round: with MongoDB, then without it for half of the time. Gives how much longer the hundredth request took. */
async function measure(crowd: Crowd, mongod: KillableMongod): Promise<number> {
  const baseline = await crowd.run(BASELINE_S);
  const outage = crowd.run(OUTAGE_S);
  const away = [
    new Promise((resolve) => setTimeout(resolve, OUTAGE_S * 250)).then(() => mongod.kill()),
    new Promise((resolve) => setTimeout(resolve, OUTAGE_S * 750)).then(() => mongod.start()),
  ];
  const stretch = await outage;
  await Promise.all(away);
  const ratio = stretch.percentile(0.99) / baseline.percentile(0.99);
  const parts = `before ${figures(stretch, [0, 0.25])}; away ${figures(stretch, [0.25, 0.75])}; back ${figures(stretch, [0.75, 1])}`;
  console.log(`      with MongoDB ${figures(baseline)}`);
  console.log(`      away for half of ${OUTAGE_S} s ${figures(stretch)}: ${ratio.toFixed(2)} times (${parts})`);
  expect([baseline.failed, stretch.failed]).to.deep.equal([0, 0]);
  return ratio;
}

for (const { spool, called } of MODES) {
  describe(`Load, ${called}`, () => {
    const seconds = WARM_UP_S + (BASELINE_S + OUTAGE_S) * ROUNDS + 90;
    scenario(`${PER_SECOND} requests a second, half of them without MongoDB`, seconds, async (scene) => {
      const mongod = await scene.mongod();
      const world = await scene.world({ uri: mongod.uri, spool });
      const { signingKey } = world.sealing.key;
      const directory = spool ? join(await scene.folder(), 'spool') : null;
      const shop = startShop({ uri: mongod.uri, signingKey, spool: directory });
      scene.finally(() => shop.kill('SIGKILL'));
      const { port } = (await hear(shop)) as { port: number };
      const crowd = new Crowd(port);
      scene.finally(() => crowd.close());

      await crowd.run(WARM_UP_S);
      const ratios: number[] = [];
      while (ratios.length < ROUNDS && !ratios.some((ratio) => ratio <= MAX_RATIO)) {
        ratios.push(await measure(crowd, mongod));
      }

      shop.send('close');
      const { recorded, lost } = (await hear(shop)) as { recorded: number; lost: number };
      const stored = await world.sealing.trail.countDocuments({ action: 'auth.login' });
      console.log(`      ${crowd.sent} requests, ${stored} events, ${lost} lost`);
      expect({ recorded, stored, lost }).to.deep.equal({ recorded: crowd.sent, stored: crowd.sent, lost: 0 });
      expect(Math.min(...ratios)).to.be.at.most(MAX_RATIO);
    });
  });
}
