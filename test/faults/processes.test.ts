/** mongod and the app's processes are killed under load: what was acknowledged is there once, in order, and the evidence verifies. */
import { expect } from 'chai';
import type { KillableMongod } from '../killable-mongod.js';
import { BOTH_MODES, MODES, scenario } from './scenario.js';
import { anyWhile, type FaultWorld } from './world.js';

/** Kills the server in the middle of its writing and starts it again. */
async function replaceServer(server: KillableMongod, world: FaultWorld): Promise<void> {
  await world.writes();
  await anyWhile(100);
  await server.kill();
  await anyWhile(300);
  await server.start();
}

/** Kills the process that lived longest, once it has something to lose, and starts another. */
async function replaceWorker(world: FaultWorld): Promise<void> {
  const victim = world.workers.find(({ isAlive }) => isAlive);
  await victim?.progress(1);
  await anyWhile(50);
  await victim?.kill();
  world.start();
}

for (const { spool, called } of BOTH_MODES) {
  describe(`Kills, ${called}`, () => {
    scenario('mongod is killed 20 times under load', 100, async (scene) => {
      const server = await scene.mongod();
      const world = await scene.world({ uri: server.uri, spool });
      const worker = world.start();
      for (let kills = 0; kills < 20; kills += 1) await replaceServer(server, world);
      await world.settle();
      expect(worker.accepted).to.be.above(1000);
      // Nobody heard of it but those who listen.
      expect(world.complaints).to.deep.equal([]);
    });
  });
}

for (const { spool, called } of MODES) {
  describe(`Kills, ${called}`, () => {
    scenario('the app is killed 50 times under load', 100, async (scene) => {
      const server = await scene.mongod();
      const world = await scene.world({ uri: server.uri, spool });
      for (let count = 0; count < 3; count += 1) world.start();
      for (let kills = 0; kills < 50; kills += 1) await replaceWorker(world);
      const { durable } = await world.settle();
      expect(durable).to.be.above(1000);
      expect(world.complaints).to.deep.equal([]);
    });

    scenario('both are killed', 60, async (scene) => {
      const server = await scene.mongod();
      const world = await scene.world({ uri: server.uri, spool });
      for (let count = 0; count < 2; count += 1) world.start();
      for (let kills = 0; kills < 8; kills += 1) {
        await Promise.all([replaceServer(server, world), replaceWorker(world)]);
      }
      const { durable } = await world.settle();
      expect(durable).to.be.above(100);
      expect(world.complaints).to.deep.equal([]);
    });
  });
}
