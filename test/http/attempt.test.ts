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
});
