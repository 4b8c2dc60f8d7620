/** A server that freezes, and a network between the app and MongoDB that delays, cuts and loses at the worst moment: each event arrives once, in order. */
import { expect } from 'chai';
import { until } from '../audit/sealing-world.js';
import type { Blow } from './proxy.js';
import { isLong, MODES, type Scene, scenario } from './scenario.js';
import type { FaultWorld } from './world.js';

/** Large batches, so that there is a middle of them. */
const BATCHES = { burst: 300, everyMs: 100 };

const BLOWS: readonly (readonly [Blow, title: string, times: number, seconds: number])[] = [
  ['reset in the batch', 'the connection is reset in the middle of a batch, 10 times', 10, 40],
  ['reply lost', 'the reply is lost after the batch was applied, 10 times', 10, 40],
  ['reset in the reply', 'the connection is reset in the middle of the reply, 10 times', 10, 40],
  // Nothing but the writer's own patience of 15 s ends the wait.
  ['reply withheld', 'the reply never comes, on a connection that stays open', 1, 60],
];

async function behindProxy(
  scene: Scene,
  spool: boolean,
): Promise<{ world: FaultWorld; proxy: Awaited<ReturnType<Scene['proxy']>> }> {
  const server = await scene.mongod();
  const proxy = await scene.proxy(server.uri);
  const world = await scene.world({ uri: server.uri, appUri: proxy.uri('audit'), spool });
  return { world, proxy };
}

for (const { spool, called } of MODES) {
  describe(`Networks, ${called}`, () => {
    for (const [blow, title, times, seconds] of BLOWS) {
      // A frozen server is the same to the writer, and short enough for every run.
      if (blow === 'reply withheld' && !isLong) continue;
      scenario(title, seconds, async (scene) => {
        const { world, proxy } = await behindProxy(scene, spool);
        const worker = world.start(BATCHES);
        for (let strikes = 1; strikes <= times; strikes += 1) {
          await world.writes();
          proxy.strike(blow);
          await until(() => proxy.struck === strikes);
        }
        await worker.intake(300);
        await world.settle();
        expect(worker.failures.size).to.be.above(0);
        expect(world.complaints).to.deep.equal([]);
      });
    }

    scenario('the network is cut 5 times', 40, async (scene) => {
      const { world, proxy } = await behindProxy(scene, spool);
      const worker = world.start(BATCHES);
      for (let cuts = 0; cuts < 5; cuts += 1) {
        await world.writes();
        proxy.cut();
        await worker.intake(1500);
        proxy.mend();
      }
      await world.settle();
      expect(world.complaints).to.deep.equal([]);
    });

    scenario('every answer takes 2 s', 60, async (scene) => {
      const { world, proxy } = await behindProxy(scene, spool);
      proxy.latencyMs = 1000;
      const worker = world.start({ burst: 20, everyMs: 100 });
      await world.writes();
      await worker.progress(500);
      // The good-bye of a process takes many answers.
      proxy.latencyMs = 0;
      await world.settle();
      expect(world.complaints).to.deep.equal([]);
    });

    // Shorter and longer than the writer waits for a reply.
    for (const seconds of [3, 18]) {
      scenario(`the server is frozen for ${seconds} s and thawed`, 60 + seconds, async (scene) => {
        const server = await scene.mongod();
        const world = await scene.world({ uri: server.uri, spool });
        const worker = world.start();
        await world.writes();
        server.freeze();
        const frozen = performance.now();
        // It goes on taking events.
        while (performance.now() < frozen + seconds * 1000) await worker.intake(50);
        server.thaw();
        await world.settle();
        expect(world.complaints).to.deep.equal([]);
      });
    }
  });
}
