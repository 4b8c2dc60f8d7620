/** Listeners that fail in ways in which nothing should be able to fail. What rooms make of hooks is tested there. */
import { expect } from 'chai';
import { tellOnStderr, warnOnce } from '../src/errors.js';
import { createHooks } from '../src/hooks.js';

/** A value at which nothing can be done. */
function untouchable(): Error {
  const { proxy, revoke } = Proxy.revocable(new Error('of the app'), {});
  revoke();
  return proxy;
}

describe('Hooks', () => {
  it('survive a listener that throws what nobody can look at, and tell of it', () => {
    const told: string[] = [];
    const hooks = createHooks({
      events: { 'hook:failed': ({ hook, error }) => void told.push(`${hook}: ${error.message}`) },
    });
    hooks.on('audit:lost', () => {
      throw untouchable();
    });
    hooks.emit('audit:lost', { count: 1, reason: 'memory_full' });
    expect(told).to.deep.equal(['audit:lost: a hook threw something that is no Error']);
    expect(hooks.failures).to.equal(1);
  });
});

describe('What is told on standard error', () => {
  const { emitWarning, stderr } = process;
  const { write } = stderr;

  afterEach(() => {
    process.emitWarning = emitWarning;
    stderr.write = write;
  });

  for (const [how, fail] of [
    [
      'throws',
      () => {
        throw untouchable();
      },
    ],
    ['rejects', () => Promise.reject(untouchable())],
  ] as const) {
    it(`fails nobody when a logger that ${how} stands there`, async () => {
      let calls = 0;
      const patched = (): never => {
        calls += 1;
        return fail() as never;
      };
      process.emitWarning = patched;
      stderr.write = patched;
      tellOnStderr({ message: 'events were lost' });
      warnOnce('TEST', `a logger that ${how}`);
      // mocha fails a test in whose turn a rejection is left alone.
      await new Promise((resolve) => setImmediate(resolve));
      expect(calls).to.equal(2);
    });
  }
});
