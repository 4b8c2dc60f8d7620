/** Who lives and who is dead, by the leases that they left. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Lease, Owners } from '../../src/audit/spool-lease.js';

describe('The owners of a spool', () => {
  let folder: string;
  let lease: Lease;
  let nowMs = 0;
  let owners: Owners;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-leases-'));
    lease = await Lease.take(folder);
    nowMs = 0;
    owners = new Owners(folder, () => nowMs);
  });
  afterEach(async () => {
    await lease.release();
    await rm(folder, { recursive: true });
  });

  const owner = async () => JSON.parse(await readFile(join(folder, lease.id), 'utf8')) as Record<string, unknown>;
  const write = (name: string, given: object) => writeFile(join(folder, name), JSON.stringify(given));

  it('live as long as their lease, for their process is there', async () => {
    expect(await owners.isAlive(lease.id)).to.equal(true);
    await lease.release();
    expect(await owners.isAlive(lease.id)).to.equal(false);
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it('are dead when their number belongs to a process that began later', async function onLinux() {
    if (process.platform !== 'linux') this.skip();
    await write('REUSED', { ...(await owner()), started: '1' });
    expect(await owners.isAlive('REUSED')).to.equal(false);
  });

  it('are dead when their process is', async function onLinux() {
    if (process.platform !== 'linux') this.skip();
    const child = spawn('sleep', ['60']);
    const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    await write('CHILD', { ...(await owner()), pid: child.pid, started });
    expect(await owners.isAlive('CHILD')).to.equal(true);
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    expect(await owners.isAlive('CHILD')).to.equal(false);
  });

  for (const [who, change] of [
    ['of another machine', { place: 'another' }],
    ['of a system that does not tell when a process began', { started: null }],
  ] as const) {
    it(`${who} live until they were silent for a minute, by the clock of who asks`, async () => {
      await write('FAR', { ...(await owner()), ...change });
      expect(await owners.isAlive('FAR')).to.equal(true);
      nowMs = 59_000;
      expect(await owners.isAlive('FAR')).to.equal(true);
      // A touch counts, whatever the other clock says.
      await utimes(join(folder, 'FAR'), new Date(1000), new Date(1000));
      nowMs = 90_000;
      expect(await owners.isAlive('FAR')).to.equal(true);
      nowMs = 151_000;
      expect(await owners.isAlive('FAR')).to.equal(false);
    });
  }

  it('whose lease cannot be read are watched, too', async () => {
    await writeFile(join(folder, 'HALF'), '{"pid":');
    expect(await owners.isAlive('HALF')).to.equal(true);
    nowMs = 61_000;
    expect(await owners.isAlive('HALF')).to.equal(false);
  });
});
