/** A million events through one process: its memory stays where it was, and every event is there once. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { scenario, MODES } from './scenario.js';
import type { Sample, VolumeSetup } from './volume-worker.js';

const EVENTS = 1_000_000;
const SAMPLE_EVERY = 10_000;
const MIB = 1024 * 1024;
const MAX_GROWTH_BYTES = 50 * MIB;

async function record(setup: VolumeSetup): Promise<Sample[]> {
  const script = fileURLToPath(new URL('volume-worker.ts', import.meta.url));
  const env = { ...process.env, FAULTS_VOLUME: JSON.stringify(setup) };
  const child = fork(script, { env, execArgv: ['--import', 'tsx'] });
  const samples: Sample[] = [];
  child.on('message', (sample: Sample) => samples.push(sample));
  const [code] = (await once(child, 'exit')) as [number | null];
  expect(code).to.equal(0);
  return samples;
}

/** The middle value: one collection of garbage more or less says nothing. */
function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;
}

for (const { spool, called } of MODES) {
  describe(`Volume, ${called}`, () => {
    scenario('a million events need no more memory than the first hundred thousand', 240, async (scene) => {
      const server = await scene.mongod();
      const world = await scene.world({ uri: server.uri, spool });
      const samples = await record({
        uri: server.uri,
        signingKey: world.sealing.key.signingKey,
        spool: spool ? join(await scene.folder(), 'spool') : null,
        events: EVENTS,
        window: 2000,
        sampleEvery: SAMPLE_EVERY,
      });
      const between = (from: number, to: number): number =>
        median(samples.filter(({ done }) => done > from && done <= to).map(({ rssBytes }) => rssBytes));
      const [early, middle, late] = [between(100_000, 200_000), between(500_000, 600_000), between(900_000, EVENTS)];
      const [begin = 0, half = 0, end = 0] = [early, middle, late].map((bytes) => Math.round(bytes / MIB));
      console.log(`      RSS ${begin} MiB after 150,000 events, ${half} after 550,000, ${end} after 950,000`);
      expect(late - early).to.be.at.most(MAX_GROWTH_BYTES);
      // Flat, and not only slow to grow.
      expect(late - middle).to.be.at.most(MAX_GROWTH_BYTES / 2);

      const [stored] = (await world.sealing.trail
        .aggregate([{ $group: { _id: null, count: { $sum: 1 }, first: { $min: '$_id' }, last: { $max: '$_id' } } }])
        .toArray()) as [{ count: number; first: string; last: string }];
      const [firstStream, first] = stored.first.split('.');
      const [lastStream, last] = stored.last.split('.');
      expect(stored.count).to.equal(EVENTS);
      expect([firstStream, Number(first), Number(last)]).to.deep.equal([lastStream, 0, EVENTS - 1]);
    });
  });
}
