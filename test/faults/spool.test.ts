/** The spool where it is weakest: processes that die while they take over or replay, disks that are full or read-only, files whose bytes are torn or flipped. */
import { execFile } from 'node:child_process';
import { open, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { filesUnder } from '../files-under.js';
import { cannotRun, type Scene, scenario } from './scenario.js';
import { anyWhile, type FaultWorld } from './world.js';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;

/** A process fills the spool while MongoDB is away, and dies. */
async function leave(world: FaultWorld, count: number): Promise<void> {
  const worker = world.start({ burst: 50, everyMs: 10 });
  await worker.progress(count);
  await worker.kill();
}

/** Files with events, the largest first. */
async function segments(directory: string): Promise<string[]> {
  const paths = (await filesUnder(directory)).filter((path) => path.endsWith('.log'));
  const sized = paths.map(async (path) => ({ path, size: (await stat(path)).size }));
  return (await Promise.all(sized)).sort((left, right) => right.size - left.size).map(({ path }) => path);
}

async function flip(path: string, places: readonly number[]): Promise<void> {
  const file = await open(path, 'r+');
  const { size } = await file.stat();
  for (const place of places) {
    const byte = Buffer.alloc(1);
    const position = Math.floor(size * place);
    await file.read(byte, 0, 1, position);
    byte.writeUInt8(byte.readUInt8() ^ 0x10);
    await file.write(byte, 0, 1, position);
  }
  await file.close();
}

/** A file system of its own in memory. */
async function smallDisk(scene: Scene, options: string): Promise<string> {
  const folder = await scene.folder();
  await run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
  scene.finally(() => run('umount', ['-l', folder]));
  return folder;
}

describe('The spool', () => {
  scenario('a process is killed 8 times while it replays what a dead one left', 60, async (scene) => {
    const server = await scene.mongod();
    const world = await scene.world({ uri: server.uri, spool: true });
    await server.kill();
    await leave(world, 15_000);
    await server.start();
    for (let kills = 0; kills < 8; kills += 1) {
      const worker = world.start({ burst: 1, everyMs: 10 });
      await worker.progress(1);
      await anyWhile(60);
      await worker.kill();
    }
    const { durable, missing } = await world.settle();
    expect(missing).to.equal(0);
    expect(durable).to.be.above(15_000);
    expect(world.complaints).to.deep.equal([]);
  });

  scenario('processes are killed while they take over what several dead ones left', 60, async (scene) => {
    const server = await scene.mongod();
    const world = await scene.world({ uri: server.uri, spool: true });
    await server.kill();
    await Promise.all([leave(world, 1000), leave(world, 1000)]);
    await Promise.all([leave(world, 1000), leave(world, 1000)]);
    await server.start();
    for (let kills = 0; kills < 4; kills += 1) {
      const pair = [world.start({ burst: 1 }), world.start({ burst: 1 })];
      await Promise.race(pair.map((worker) => worker.intake(1)));
      await anyWhile(100);
      await Promise.all(pair.map((worker) => worker.kill()));
    }
    const { durable, missing } = await world.settle();
    expect(missing).to.equal(0);
    expect(durable).to.be.above(4000);
    expect(world.complaints).to.deep.equal([]);
  });

  scenario('bytes are flipped: what they hit is counted, the rest is stored', 40, async (scene) => {
    const server = await scene.mongod();
    const world = await scene.world({ uri: server.uri, spool: true });
    await server.kill();
    await leave(world, 2000);
    const [largest = ''] = await segments(world.spool ?? '');
    await flip(largest, [0.2, 0.5, 0.8]);
    await server.start();
    const { missing } = await world.settle({ lossReason: 'spool_damaged' });
    expect(missing).to.be.within(1, 30);
  });

  scenario('the end of a file is torn off: what was there before is stored', 40, async (scene) => {
    const server = await scene.mongod();
    const world = await scene.world({ uri: server.uri, spool: true });
    await server.kill();
    await leave(world, 2000);
    const [largest = ''] = await segments(world.spool ?? '');
    const { size } = await stat(largest);
    await truncate(largest, Math.floor(size * 0.9));
    await server.start();
    const { missing, stored } = await world.settle({ lossReason: 'spool_damaged', tornTail: true });
    expect(missing).to.be.above(0);
    expect(stored).to.be.above(1500);
  });

  const disks = [
    ['the disk is full', 'size=2m'],
    ['the disk is read-only', 'size=2m,ro'],
  ] as const;
  for (const [title, options] of disks) {
    if (!isRoot) {
      cannotRun(title, 'only root may mount a disk');
      continue;
    }
    scenario(`${title}: events wait in memory, and are stored`, 40, async (scene) => {
      const server = await scene.mongod();
      const directory = await smallDisk(scene, options);
      const world = await scene.world({ uri: server.uri, spool: join(directory, 'spool') });
      const worker = world.start({ burst: 20, everyMs: 10 });
      await world.writes();
      await server.kill();
      await worker.intake(6000);
      await server.start();
      const { missing } = await world.settle();
      expect(missing).to.equal(0);
      // Said once, as a process warning.
      expect(world.complaints.join('').match(/STRONGROOM_SPOOL/g)).to.have.lengthOf(1);
    });
  }
});
