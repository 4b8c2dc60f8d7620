/** Three nodes whose primary steps down, that lose their majority, that have no primary when the app starts, or that roll back what one of them took. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { MongoClient } from 'mongodb';
import { until } from '../audit/sealing-world.js';
import { startReplicaSet } from '../mongod.js';
import { type Scene, scenario, MODES } from './scenario.js';

/** Ten times a default node would wait longer than a test has. */
const ELECTION_MS = 2000;

/** One node, by the port at which it listens. */
interface SetNode {
  readonly client: MongoClient;
  readonly folder: string;
  isPrimary(): Promise<boolean>;
  freeze(): void;
  thaw(): void;
  /** Ends the process at once. */
  kill(): Promise<void>;
  /** Starts it again where it was. */
  restart(): void;
}

/** Three nodes that elect quickly. */
class Nodes {
  readonly uri: string;
  readonly all: readonly SetNode[];

  private constructor(uri: string, all: readonly SetNode[]) {
    this.uri = uri;
    this.all = all;
  }

  static async start(scene: Scene): Promise<Nodes> {
    const set = await startReplicaSet(3);
    const nodes = set.servers.map(({ instanceInfo }) => {
      const { port = 0, dbPath = '', instance } = instanceInfo ?? {};
      return createNode(port, instance?.mongodProcess as ChildProcess, dbPath);
    });
    scene.finally(() => set.stop());
    scene.finally(async () => {
      for (const node of nodes) node.thaw();
      await Promise.all(nodes.map(({ client }) => client.close()));
      await Promise.all(nodes.map((node) => node.kill()));
    });
    const admin = (await new MongoClient(set.getUri()).connect()).db('admin');
    const { config } = (await admin.command({ replSetGetConfig: 1 })) as {
      config: { version: number; settings: object };
    };
    // A new primary that waits for what only the frozen one has would wait for ever.
    const settings = { ...config.settings, electionTimeoutMillis: ELECTION_MS, catchUpTimeoutMillis: ELECTION_MS };
    await admin.command({ replSetReconfig: { ...config, version: config.version + 1, settings } });
    await admin.client.close();
    return new Nodes(set.getUri('audit'), nodes);
  }

  /** The node that takes writes; waits for one. */
  async primary(): Promise<SetNode> {
    let found: SetNode | undefined;
    await until(async () => {
      const answers = await Promise.all(this.all.map((node) => node.isPrimary()));
      found = this.all.find((_, index) => answers[index]);
      return found !== undefined;
    }, 40_000);
    return found as SetNode;
  }

  async secondaries(): Promise<SetNode[]> {
    const primary = await this.primary();
    return this.all.filter((node) => node !== primary);
  }
}

function createNode(port: number, first: ChildProcess, folder: string): SetNode {
  let child = first;
  const options = {
    directConnection: true,
    serverSelectionTimeoutMS: 1000,
    connectTimeoutMS: 1000,
    socketTimeoutMS: 1000,
    heartbeatFrequencyMS: 500,
  };
  const client = new MongoClient(`mongodb://127.0.0.1:${port}`, options);
  return {
    client,
    folder,
    async isPrimary() {
      const answer = client.db('admin').command({ hello: 1 });
      return answer.then(
        (hello) => hello['isWritablePrimary'] === true,
        () => false,
      );
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
    restart() {
      const [command = '', ...args] = child.spawnargs;
      child = spawn(command, args, { stdio: 'ignore' });
    },
  };
}

for (const { spool, called } of MODES) {
  describe(`A replica set, ${called}`, () => {
    scenario('the primary steps down twice', 90, async (scene) => {
      const nodes = await Nodes.start(scene);
      const world = await scene.world({ uri: nodes.uri, spool });
      const worker = world.start();
      for (let times = 0; times < 2; times += 1) {
        await world.writes();
        const primary = await nodes.primary();
        await primary.client.db('admin').command({ replSetStepDown: 5, force: true });
        await until(async () => !(await primary.isPrimary()));
        await nodes.primary();
        await worker.progress(100);
      }
      await world.settle();
      expect(world.complaints).to.deep.equal([]);
    });

    scenario('the majority is gone for 30 s', 120, async (scene) => {
      const nodes = await Nodes.start(scene);
      const world = await scene.world({ uri: nodes.uri, spool });
      const worker = world.start();
      await world.writes();
      const gone = await nodes.secondaries();
      const since = performance.now();
      for (const node of gone) node.freeze();
      while (performance.now() < since + 30_000) await worker.intake(100);
      for (const node of gone) node.thaw();
      await world.settle();
      // What the last primary had taken without a majority, it said so.
      expect([...worker.failures].join()).to.include('WriteConcern');
      expect(world.complaints).to.deep.equal([]);
    });

    scenario('there is no primary when the app starts', 90, async (scene) => {
      const nodes = await Nodes.start(scene);
      const world = await scene.world({ uri: nodes.uri, spool });
      const last = await nodes.primary();
      const gone = await nodes.secondaries();
      for (const node of gone) node.freeze();
      await until(async () => !(await last.isPrimary()), 20_000);
      const worker = world.start();
      await worker.intake(1000);
      for (const node of gone) node.thaw();
      await world.writes();
      await world.settle();
      expect(world.complaints).to.deep.equal([]);
    });

    scenario('what a primary took alone is rolled back', 120, async (scene) => {
      const nodes = await Nodes.start(scene);
      const world = await scene.world({ uri: nodes.uri, spool });
      const worker = world.start();
      await world.writes();
      const old = await nodes.primary();
      const others = await nodes.secondaries();
      // Killed and not frozen: what waits in a frozen one's sockets would still arrive.
      await Promise.all(others.map((node) => node.kill()));
      // What it takes until it notices that it is alone, nobody else has.
      await until(async () => !(await old.isPrimary()));
      old.freeze();
      for (const node of others) node.restart();
      await nodes.primary();
      await worker.intake(1000);
      await world.writes();
      old.thaw();
      // The server keeps a copy of what it rolled back.
      await until(() => existsSync(join(old.folder, 'rollback')), 30_000);
      await world.settle();
      expect(world.complaints).to.deep.equal([]);
    });
  });
}
