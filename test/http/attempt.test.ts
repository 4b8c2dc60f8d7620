/** Calls into the app: what they throw stays there. */
import { expect } from 'chai';
import { attempt, readMember } from '../../src/http/attempt.js';

describe('An attempt', () => {
  it('gives what the call gives, and undefined for what it throws', () => {
    expect(attempt(() => 7)).to.equal(7);
    expect(
      attempt(() => {
        throw new Error('no');
      }),
    ).to.equal(undefined);
  });

  it('gives undefined for a promise, and takes its rejection away', () => {
    let listener: unknown;
    const promise = {
      then: (_fulfilled: unknown, rejected: unknown) => (listener = rejected),
    };
    expect(attempt(() => promise)).to.equal(undefined);
    expect(listener).to.be.a('function');
  });

  it('reads a member of anything, and undefined where a getter throws', () => {
    expect(readMember({ a: 1 }, 'a')).to.equal(1);
    expect(readMember(null, 'a')).to.equal(undefined);
    expect(readMember('text', 'a')).to.equal(undefined);
    const hostile = {
      get a(): never {
        throw new Error('no');
      },
    };
    expect(readMember(hostile, 'a')).to.equal(undefined);
  });

  it('takes away the rejection of a getter that is async', async () => {
    const alone: unknown[] = [];
    const listeners = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.once('unhandledRejection', (reason) => alone.push(reason));
    readMember(
      {
        get a() {
          return Promise.reject(new Error('later'));
        },
      },
      'a',
    );
    // It is told after the turn in which nobody took it.
    await new Promise((resolve) => setImmediate(resolve));
    process.removeAllListeners('unhandledRejection');
    for (const listener of listeners) process.on('unhandledRejection', listener);
    expect(alone).to.deep.equal([]);
  });
});
