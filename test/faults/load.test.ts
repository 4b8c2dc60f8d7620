/** 500 requests a second while MongoDB is gone for half of the time: nobody who waits for an answer notices. STRONGROOM_FAULTS_LONG=1 makes it ten minutes. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { ShopSetup, ShopWord } from './load-server.js';
import { isLong, scenario, SPOOLS } from './scenario.js';

const PER_SECOND = 500;
const TICK_MS = 10;
const WARM_UP_S = isLong ? 20 : 6;
const BASELINE_S = isLong ? 120 : 12;
/** MongoDB is there for a quarter of it, away for half of it, and there again. */
const OUTAGE_S = isLong ? 600 : 24;
const RATIO = 1.5;
/** On a machine that others use, a moment of theirs is as long as a short measurement's hundredth request. */
const NOISE_MS = isLong ? 0 : 5;

/** Latencies of one stretch, from the moment at which a request was due. */
class Stretch {
  failed = 0;
  readonly #latencies: number[] = [];

  get requests(): number {
    return this.#latencies.length;
  }

  add(latencyMs: number, status: number | undefined): void {
    this.#latencies.push(latencyMs);
    if (status !== 200) this.failed += 1;
  }

  percentile(part: number): number {
    const sorted = this.#latencies.toSorted((left, right) => left - right);
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
      const due = Math.min(total, Math.ceil(((performance.now() - begin) / 1000) * PER_SECOND));
      while (answered.length < due) {
        answered.push(this.#send(stretch, begin + (answered.length / PER_SECOND) * 1000));
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    await Promise.all(answered);
    return stretch;
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(stretch: Stretch, dueMs: number): Promise<void> {
    this.sent += 1;
    const body = JSON.stringify({ id: `u${this.sent}` });
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const place = { host: '127.0.0.1', port: this.#port, path: '/auth/login', method: 'POST', agent: this.#agent };
    return new Promise((resolve) => {
      const settle = (status?: number): void => {
        stretch.add(performance.now() - dueMs, status);
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

for (const { spool, called } of SPOOLS) {
  describe(`Load, ${called}`, () => {
    const seconds = WARM_UP_S + BASELINE_S + OUTAGE_S + 120;
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
      const baseline = await crowd.run(BASELINE_S);
      const measured = crowd.run(OUTAGE_S);
      setTimeout(() => void mongod.kill(), OUTAGE_S * 250);
      setTimeout(() => void mongod.start(), OUTAGE_S * 750);
      const outage = await measured;

      shop.send('close');
      const { recorded, lost } = (await hear(shop)) as { recorded: number; lost: number };
      const figures = (of: Stretch): string =>
        `p50 ${of.percentile(0.5).toFixed(1)}, p99 ${of.percentile(0.99).toFixed(1)} ms`;
      const ratio = outage.percentile(0.99) / baseline.percentile(0.99);
      console.log(`      ${crowd.sent} requests; with MongoDB ${figures(baseline)}`);
      console.log(
        `      away for half of ${OUTAGE_S} s ${figures(outage)}: ${ratio.toFixed(2)} times; ${lost} events lost`,
      );
      expect([baseline.failed, outage.failed]).to.deep.equal([0, 0]);
      expect(recorded + lost).to.equal(crowd.sent);
      expect(await world.sealing.trail.countDocuments({ action: 'auth.login' })).to.equal(crowd.sent - lost);
      expect(lost).to.equal(0);
      expect(outage.percentile(0.99)).to.be.at.most(baseline.percentile(0.99) * RATIO + NOISE_MS);
    });
  });
}
