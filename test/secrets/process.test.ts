/** The manager of the process, in processes of their own. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { isolateEnvironment, open, providerOf } from './fakes.js';

const run = promisify(execFile);
const SOURCE = new URL('../../src/secrets/', import.meta.url).href;

/** What a fresh process prints, as JSON; it must also end by itself. */
async function inFreshProcess(script: string, env: NodeJS.ProcessEnv = {}): Promise<unknown> {
  const { stdout } = await run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    env: { PATH: process.env['PATH'], NODE_ENV: 'test', ...env },
    cwd: new URL('../..', import.meta.url),
    timeout: 15_000,
  });
  return JSON.parse(stdout);
}

describe('getSecretManager', () => {
  isolateEnvironment();

  it('is one instance per process, also for a second copy of the module, and SECRETS_PROVIDER chooses', async () => {
    const script = `
      const one = await import('${SOURCE}process.ts');
      const two = await import('${SOURCE}process.ts?second');
      const manager = one.getSecretManager();
      await manager.set('A', 'x');
      console.log(JSON.stringify([
        one.getSecretManager !== two.getSecretManager, manager === one.getSecretManager(), manager === two.getSecretManager(),
        await two.getSecretManager().get('A'), Object.keys(globalThis).length === Object.keys({ ...globalThis }).length,
      ]));`;
    expect(await inFreshProcess(script, { SECRETS_PROVIDER: 'memory' })).to.deep.equal([true, true, true, 'x', true]);
  });

  it('reads the environment by default', async () => {
    const script = `
      const { getSecretManager } = await import('${SOURCE}process.ts');
      console.log(JSON.stringify(await getSecretManager().get('MY_SECRET')));`;
    expect(await inFreshProcess(script, { MY_SECRET: 'from env' })).to.equal('from env');
  });

  it('refuses what is unsafe in production', async () => {
    const script = `
      const { getSecretManager } = await import('${SOURCE}process.ts');
      try { getSecretManager() } catch (error) { console.log(JSON.stringify(error.code)) }`;
    expect(await inFreshProcess(script, { SECRETS_PROVIDER: 'dotenv', APP_ENV: 'Production' })).to.equal(
      'ERR_STRONGROOM_SECRET_INSECURE_IN_PRODUCTION',
    );
  });
});

describe('a process with a manager', () => {
  isolateEnvironment();

  it('has no timer from it, but one while a provider is asked', async () => {
    const { setTimeout: start, clearTimeout: stop } = globalThis;
    const running = new Set<unknown>();
    const counts: number[] = [];
    globalThis.setTimeout = ((...args: Parameters<typeof start>) => {
      const timer = start(...args);
      running.add(timer);
      return timer;
    }) as typeof start;
    globalThis.clearTimeout = (timer) => (running.delete(timer), stop(timer));
    try {
      const { manager } = open({ provider: providerOf(async () => 'x') });
      counts.push(running.size);
      const pending = manager.get('A');
      counts.push(running.size);
      await pending;
      counts.push(running.size);
    } finally {
      Object.assign(globalThis, { setTimeout: start, clearTimeout: stop });
    }
    expect(counts).to.deep.equal([0, 1, 0]);
  });

  it('ends by itself, open caches and all, but not while a provider has time left to answer', async () => {
    const script = `
      const { createSecretManager } = await import('${SOURCE}manager.ts');
      const hanging = { name: 'hanging', get: (name) => name === 'A' ? Promise.resolve('x') : new Promise(() => {}) };
      const manager = createSecretManager({ provider: hanging, timeout: '100ms', ttl: '60d' });
      await manager.get('A');
      const { code } = await manager.get('B').catch((error) => error);
      console.log(JSON.stringify({ code, ...manager.stats() }));`;
    expect(await inFreshProcess(script)).to.include({
      code: 'ERR_STRONGROOM_SECRET_TIMEOUT',
      entries: 1,
      providerCalls: 2,
    });
  });
});
