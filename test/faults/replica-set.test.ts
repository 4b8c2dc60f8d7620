/** Three nodes whose primary steps down, that lose their majority, that have no primary when the app starts, or that roll back what one of them took. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { MongoClient } from 'mongodb';
import { until } from '../audit/sealing-world.js';
import { startReplicaSet } from '../mongod.js';
import { type Scene, scenario, SPOOLS } from './scenario.js';

/** Ten times a default node would wait longer than a test has. */
const ELECTION_MS = 2000;

/** One node, by the port at which it listens. */
interface SetNode {
  readonly client: MongoClient;
  readonly pid: number;
  readonly folder: string;
  isPrimary(): Promise<boolean>;
  freeze(): void;
  thaw(): void;
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
      return createNode(port, { pid: instance?.mongodProcess?.pid ?? 0, folder: dbPath });
    });
    scene.finally(() => set.stop());
    scene.finally(async () => {
      for (const node of nodes) node.thaw();
      await Promise.all(nodes.map(({ client }) => client.close()));
    });
    const admin = (await new MongoClient(set.getUri()).connect()).db('admin');
    const { config } = (await admin.command({ replSetGetConfig: 1 })) as {
      config: { version: number; settings: object };
    };
    const settings = { ...config.settings, electionTimeoutMillis: ELECTION_MS };
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

function createNode(port: number, { pid, folder }: Pick<SetNode, 'pid' | 'folder'>): SetNode {
  const options = { directConnection: true, serverSelectionTimeoutMS: 1000, socketTimeoutMS: 1000 };
  const client = new MongoClient(`mongodb://127.0.0.1:${port}`, options);
  return {
    client,
    pid,
    folder,
    async isPrimary() {
      const answer = client.db('admin').command({ hello: 1 });
      return answer.then(
        (hello) => hello['isWritablePrimary'] === true,
        () => false,
      );
    },
    freeze: () => void process.kill(pid, 'SIGSTOP'),
    thaw: () => void process.kill(pid, 'SIGCONT'),
  };
}

for (const { spool, called } of SPOOLS) {
  describe(`A replica set, ${called}`, () => {
    scenario('the primary steps down 3 times', 90, async (scene) => {
      const nodes = await Nodes.start(scene);
      const world = await scene.world({ uri: nodes.uri, spool });
      const worker = world.start();
      for (let times = 0; times < 3; times += 1) {
        await world.writes();
        const primary = await nodes.primary();
        await primary.client.db('admin').command({ replSetStepDown: 10, force: true });
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
      expect([...worker.failures].join()).to.include('write concern');
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
      for (const node of others) node.freeze();
      const trail = old.client.db('audit').collection('audit_events');
      const count = await trail.estimatedDocumentCount();
      await until(async () => (await trail.estimatedDocumentCount()) > count);
      old.freeze();
      for (const node of others) node.thaw();
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
