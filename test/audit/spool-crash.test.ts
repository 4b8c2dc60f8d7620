/** Processes that share a spool and are killed wherever they are: what one of them was told to be durable is in the trail once, in order, and nothing of it looks like an attack. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import { until } from './sealing-world.js';
import { SpoolWorld } from './spool-world.js';

const KILLS = Number(process.env['STRONGROOM_SPOOL_KILLS'] ?? 12);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The processes, and what they said. */
class Herd {
  /** `_id`s by process, in the order of the calls. */
  readonly told = new Map<string, string[]>();
  readonly complaints: string[] = [];
  readonly children = new Set<ChildProcess>();
  done = 0;
  readonly #env: NodeJS.ProcessEnv;

  constructor(world: SpoolWorld, count?: number) {
    this.#env = {
      ...process.env,
      SPOOL_URI: world.uri,
      SPOOL_KEY: world.key.signingKey,
      SPOOL_DIRECTORY: world.directory,
      SPOOL_COLLECTION: world.collection,
      ...(count !== undefined && { SPOOL_COUNT: String(count) }),
    };
  }

  get all(): string[] {
    return [...this.told.values()].flat();
  }

  start(): ChildProcess {
    const args = ['--import', 'tsx', 'test/audit/spool-worker.ts'];
    const child = spawn(process.execPath, args, { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.children.add(child);
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      // A line that was torn off by the kill is not told.
      rest = lines.pop() ?? '';
      for (const line of lines) this.#hear(line);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.complaints.push(text));
    child.once('exit', () => this.children.delete(child));
    return child;
  }

  async kill(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  #hear(line: string): void {
    const [id = '', , pid = ''] = line.split(' ');
    if (id === 'done') this.done += 1;
    else this.told.set(pid, [...(this.told.get(pid) ?? []), id]);
  }
}

describe('The spool of processes that die', function suite() {
  this.timeout(180_000);
  let world: SpoolWorld;
  let herd: Herd;

  before(async () => {
    world = await SpoolWorld.open();
  });
  after(() => world.close());
  beforeEach(() => world.begin());
  afterEach(async () => {
    await Promise.all([...herd.children].map((child) => herd.kill(child)));
    await world.end();
  });

  /** Each event that was told is there, under its `_id`; of each process nothing is missing in between, and nothing is there twice. */
  async function expectAll(): Promise<void> {
    const found = await world.stored();
    const ids = new Set(found.map(({ _id }) => _id));
    expect(herd.all.filter((id) => !ids.has(id))).to.deep.equal([]);
    const byProcess = new Map<unknown, unknown[]>();
    for (const { meta, action } of found) {
      if (action !== 'test.act') continue;
      byProcess.set(meta['pid'], [...(byProcess.get(meta['pid']) ?? []), meta['n']]);
    }
    for (const numbers of byProcess.values()) expect(numbers).to.deep.equal(numbers.map((_, index) => index));
    expect(found.filter(({ action }) => action === 'audit.gap')).to.deep.equal([]);
  }

  it('has what a process left before MongoDB was ever there, after a long time', async () => {
    await world.kill();
    herd = new Herd(world, 500);
    const child = herd.start();
    await until(() => herd.done === 1, 30_000);
    await herd.kill(child);
    // Longer than `deadAfter`: its stream is in no ledger, and would count as put in.
    await pause(1500);
    await world.start();
    const room = world.room();
    await room.ready();
    const reports: string[][] = [];
    await until(async () => {
      reports.push(await world.intact(room));
      return (await world.events.countDocuments()) === 500 && reports.at(-1)?.includes('recovered-segment');
    }, 30_000);
    await expectAll();
    expect((await world.stored()).map(({ _id }) => _id)).to.deep.equal(herd.all);
    await until(async () => !(await world.text()).includes('test.act'));
  });

  it('has what a process left whose stream was sealed in part and is dead for long', async () => {
    herd = new Herd(world);
    const child = herd.start();
    await until(() => herd.all.length > 300, 30_000);
    await world.kill();
    const count = herd.all.length;
    await until(() => herd.all.length > count + 300, 30_000);
    await herd.kill(child);
    await world.start();
    await pause(1500);
    const room = world.room();
    await room.ready();
    await until(async () => {
      await world.intact(room);
      return room.audit.stats().spooled === 0 && !(await world.text()).includes('test.act');
    }, 30_000);
    await expectAll();
    await until(async () => !(await world.intact(room)).includes('unsealed-tail'), 30_000);
  });

  it('is taken over by one that lives, without touching what the others still write', async () => {
    await world.kill();
    herd = new Herd(world);
    const [first, second] = [herd.start(), herd.start()];
    await until(() => herd.told.size === 2 && herd.all.length > 500, 30_000);
    await herd.kill(first);
    await world.start();
    await until(() => herd.all.length > 1500, 30_000);
    const dead = herd.told.get(String(first.pid)) ?? [];
    // The second looks for the dead every ten seconds.
    await until(async () => (await world.events.countDocuments({ _id: { $in: dead } })) === dead.length, 40_000);
    await herd.kill(second, 'SIGTERM');
    await expectAll();
    const room = world.room();
    await room.ready();
    await until(async () => !(await world.intact(room)).includes('unsealed-tail'), 30_000);
  });

  it('loses nothing and stores nothing twice when processes and MongoDB are killed at random', async () => {
    herd = new Herd(world);
    herd.start();
    herd.start();
    await until(() => herd.all.length > 100, 30_000);
    for (let kills = 0; kills < KILLS; kills += 1) {
      await pause(Math.random() * 600);
      if (kills % 4 === 1) await world.kill();
      const victims = [...herd.children];
      await herd.kill(victims[Math.floor(Math.random() * victims.length)]!);
      herd.start();
      if (kills % 4 === 2) await world.start();
    }
    await world.start();
    await pause(300);
    await Promise.all([...herd.children].map((child, index) => herd.kill(child, index === 0 ? 'SIGKILL' : 'SIGTERM')));
    const room = world.room();
    await room.ready();
    await until(async () => room.audit.stats().spooled === 0 && !(await world.text()).includes('test.act'), 60_000);
    await expectAll();
    await until(async () => !(await world.intact(room)).includes('unsealed-tail'), 60_000);
    expect(herd.complaints.filter((text) => !text.includes('SPOOL_LEFT'))).to.deep.equal([]);
    console.log(`      ${KILLS} processes killed, ${herd.all.length} events told, all there`);
  });
});
