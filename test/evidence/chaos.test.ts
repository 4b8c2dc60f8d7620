/** Honest processes that are killed at random, on a mongod that is killed too: nothing that they leave may look like an attack. STRONGROOM_CHAOS_SECONDS makes it long. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import type { VerifyReport } from '../../src/evidence/report.js';
import { SealingWorld, until } from '../audit/sealing-world.js';
import { KillableMongod } from '../killable-mongod.js';

const SECONDS = Number(process.env['STRONGROOM_CHAOS_SECONDS'] ?? 6);
const IS_LONG = SECONDS > 30;
const PROCESSES = IS_LONG ? 16 : 4;
const DEAD_AFTER_MS = IS_LONG ? 4000 : 1500;
const KILL_EVERY_MS = 1000;
const KILL_MONGOD_EVERY_MS = IS_LONG ? 20_000 : 3000;
/** What an honest trail may be warned of. */
const HONEST = ['recovered-segment', 'unsealed-tail', 'stream-open', 'stream-not-closed'];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The processes, and what they said. */
class Herd {
  /** Events that were acknowledged. */
  readonly told = new Set<string>();
  /** What was written on stderr. */
  readonly complaints: string[] = [];
  kills = 0;
  readonly #env: NodeJS.ProcessEnv;
  readonly #children = new Set<ChildProcess>();

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = { ...process.env, ...env };
  }

  start(): void {
    const args = ['--import', 'tsx', 'test/evidence/chaos-worker.ts'];
    const child = spawn(process.execPath, args, { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.add(child);
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      // A line that was torn off by the kill is not told.
      rest = lines.pop() ?? '';
      for (const id of lines) this.told.add(id);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.complaints.push(text));
    child.once('exit', (code, signal) => {
      this.#children.delete(child);
      if (code !== 0 && signal !== 'SIGKILL') this.complaints.push(`a process ended with ${code ?? signal}`);
    });
  }

  /** Kills one at random, wherever it is, and starts another. */
  replace(): void {
    const victims = [...this.#children];
    victims[Math.floor(Math.random() * victims.length)]?.kill('SIGKILL');
    this.kills += 1;
    this.start();
  }

  /** Half of them may say good-bye. */
  async end(): Promise<void> {
    const ended = [...this.#children].map((child, index) => {
      const exit = once(child, 'exit');
      child.kill(index % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
      return exit;
    });
    await Promise.all(ended);
  }
}

describe('Chaos', function suite() {
  this.timeout((SECONDS + 120) * 1000);
  let server: KillableMongod;
  let world: SealingWorld;
  let herd: Herd;

  before(async () => {
    server = await KillableMongod.create();
    await server.start();
    world = await SealingWorld.open(server.uri);
    const env = { CHAOS_URI: server.uri, CHAOS_KEY: world.key.signingKey, CHAOS_DEAD_AFTER_MS: String(DEAD_AFTER_MS) };
    herd = new Herd(env);
  });
  after(async () => {
    await herd.end();
    await world.close();
    await server.dispose();
  });

  async function killMongod(isOver: () => boolean): Promise<number> {
    let kills = 0;
    for (;;) {
      await pause(KILL_MONGOD_EVERY_MS * (0.5 + Math.random()));
      if (isOver()) return kills;
      await server.kill();
      await pause(Math.random() * 1000);
      await server.start();
      kills += 1;
    }
  }

  /** Everything that the dead left is recovered within a few looks. */
  async function settle(): Promise<VerifyReport> {
    const room = world.room({ sealEvery: '50ms', deadAfter: DEAD_AFTER_MS });
    await room.audit.record({ action: 'user.update' });
    let report = await world.verify();
    const left = (): boolean => report.warnings.some(({ kind }) => kind === 'unsealed-tail');
    await until(async () => {
      report = await world.verify();
      return !left();
    }, 60_000);
    await room.close();
    return world.verify({ deadAfterMs: DEAD_AFTER_MS });
  }

  it('gives no violation, only honest warnings, and every event that was acknowledged is there', async () => {
    for (let index = 0; index < PROCESSES; index += 1) herd.start();
    await until(() => herd.told.size > 10, 60_000);
    const end = performance.now() + SECONDS * 1000;
    const isOver = (): boolean => performance.now() > end;
    const killing = killMongod(isOver);
    while (!isOver()) {
      await pause(KILL_EVERY_MS * 2 * Math.random());
      herd.replace();
    }
    const mongodKills = await killing;
    const during = await world.verify();
    await herd.end();
    const after = await settle();
    const seals = (await world.told()).filter((kind) => kind.startsWith('seal') || kind.startsWith('recover'));
    console.log(
      `      ${PROCESSES} processes, ${herd.kills} killed, mongod ${mongodKills} times; ${after.events} events, ${herd.told.size} of them acknowledged; ${after.entries} entries, ${seals.length} seals`,
    );
    for (const report of [during, after]) {
      expect(report.violations).to.deep.equal([]);
      expect(HONEST).to.include.members([...new Set(report.warnings.map(({ kind }) => kind))]);
    }
    expect(herd.complaints).to.deep.equal([]);
    const stored = new Set(
      (await world.trail.find({}, { projection: { _id: 1 } }).toArray()).map(({ _id }) => String(_id)),
    );
    expect([...herd.told].filter((id) => !stored.has(id))).to.deep.equal([]);
    expect(herd.told.size).to.be.greaterThan(100);
  });
});
