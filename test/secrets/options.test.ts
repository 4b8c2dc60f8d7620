/** What every secrets option accepts and refuses, and in which words. */
import { expect } from 'chai';
import { resolveSecretsOptions, type SecretsOptions } from '../../src/secrets/options.js';
import { createSecretManager } from '../../src/secrets/manager.js';
import { isolateEnvironment, thrown } from './fakes.js';

describe('the options of secrets', () => {
  isolateEnvironment();

  it('fill their defaults', () => {
    const { now, ...rest } = resolveSecretsOptions();
    expect(rest).to.deep.equal({
      provider: undefined,
      ttlMs: 300_000,
      ttlsMs: new Map(),
      required: [],
      staleIfErrorMs: 3_600_000,
      timeoutMs: 10_000,
    });
    expect(Math.abs(now() - Date.now())).to.be.below(60_000);
  });

  it('accept undefined for every member', () => {
    const options: SecretsOptions = {
      provider: undefined,
      ttl: undefined,
      ttls: { A: undefined },
      required: undefined,
      staleIfError: undefined,
      timeout: undefined,
      now: undefined,
    };
    expect(resolveSecretsOptions(options).ttlsMs.size).to.equal(0);
    createSecretManager({ ...options, environment: undefined, hooks: undefined });
  });

  const bad: [string, unknown, RegExp][] = [
    ['an unknown option', { tll: 1 }, /^secrets: option "tll" is unknown; did you mean "ttl"\?$/],
    ['no object', 'env', /^secrets must be an object, got a string$/],
    ['an array', [], /^secrets must be an object, got an array$/],
    ['a ttl of NaN', { ttl: Number.NaN }, /^secrets\.ttl must be a duration .* got a number$/],
    ['an endless ttl', { ttl: Infinity }, /^secrets\.ttl /],
    ['a negative ttl', { ttl: -1 }, /^secrets\.ttl /],
    ['a timeout above the timers', { timeout: 2 ** 31 }, /^secrets\.timeout /],
    ['a ttl without unit', { ttl: '10' }, /^secrets\.ttl .* got a string$/],
    ['a ttl of null', { ttl: null }, /^secrets\.ttl .* got null$/],
    ['a bad ttl of one secret', { ttls: { A: '5x' } }, /^secrets\.ttls\.A must be a duration/],
    ['ttls that are no object', { ttls: 5 }, /^secrets\.ttls must be an object/],
    ['a required name that is none', { required: ['A', 5] }, /^secrets\.required\[1\] must be a string/],
    ['required that is no array', { required: 'A' }, /^secrets\.required must be an array/],
    ['a bad staleIfError', { staleIfError: '1w' }, /^secrets\.staleIfError /],
    ['a bad timeout', { timeout: true }, /^secrets\.timeout .* got a boolean$/],
    ['a clock that is none', { now: 5 }, /^secrets\.now must be a function, got a number$/],
    [
      'a bad environment',
      { environment: 'live' },
      /^secrets\.environment must be one of production, development, test/,
    ],
    ['an unknown hook option', { hooks: { event: {} } }, /^secrets\.hooks: option "event" .* "events"/],
    ['events that are no object', { hooks: { events: 5 } }, /^secrets\.hooks\.events must be an object/],
    ['an unknown event', { hooks: { events: { 'secret:fetch': () => 0 } } }, /"secret:fetch" is unknown/],
  ];
  for (const [what, options, message] of bad) {
    it(`refuse ${what}`, () => {
      const error = thrown(() => createSecretManager(options as SecretsOptions));
      expect(error.message).to.match(message);
      expect(error.code).to.equal('ERR_STRONGROOM_OPTIONS_INVALID');
    });
  }

  it('keep the value out of the message', () => {
    const error = thrown(() => createSecretManager({ ttl: 'hunter2hunter2' as '1s' }));
    expect(error.message).not.to.contain('hunter2');
  });

  it('take a ttl for a name like __proto__', () => {
    const { ttlsMs } = resolveSecretsOptions({ ttls: { ['__proto__']: '1s', constructor: 5 } });
    expect([...ttlsMs]).to.deep.equal([
      ['__proto__', 1000],
      ['constructor', 5],
    ]);
  });

  it('read a clock that throws as NaN', () => {
    const { now } = resolveSecretsOptions({
      now: () => {
        throw new Error('broken');
      },
    });
    expect(now()).to.be.NaN;
  });
});
