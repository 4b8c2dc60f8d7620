/** Which failures are events of their own: bursts, rates, the first of a second. On a clock that the test moves. */
import { expect } from 'chai';
import { FailureLimit, type ResolvedFailureLimit, isNameless } from '../../src/audit/failure-limit.js';
import { recordingShape, resolveRecordingOptions } from '../../src/audit/options.js';
import type { UnnumberedEvent } from '../../src/audit/store.js';
import { objectOf } from '../../src/settings.js';
import { makeEvent } from './events.js';

describe('audit/failure-limit', () => {
  let nowMs: number;
  let limit: FailureLimit;

  const open = (options: ResolvedFailureLimit) => {
    nowMs = 5_000_000;
    limit = new FailureLimit(options, () => nowMs);
  };
  const failure = (given: Partial<UnnumberedEvent> = {}) => makeEvent({ status: 'failure', actorId: null, ...given });
  /** How many of so many equal failures are events. */
  const admitted = (count: number, given: Partial<UnnumberedEvent> = {}) =>
    Array.from({ length: count }, () => limit.admits(failure(given))).filter(Boolean).length;
  /** Takes the place of this client in this second, so that what follows is the rate alone. */
  const useUpFirst = () => admitted(1);

  it('has a default for each member that is left out', () => {
    for (const [given, resolved] of [
      [undefined, { burst: 1000, perSecond: 100 }],
      [{}, { burst: 1000, perSecond: 100 }],
      [{ burst: 5 }, { burst: 5, perSecond: 100 }],
      [
        { burst: undefined, perSecond: 0 },
        { burst: 1000, perSecond: 0 },
      ],
      [false, false],
    ] as const) {
      expect(objectOf(recordingShape)({ failureLimit: given }, 'audit')).to.equal(undefined);
      expect(resolveRecordingOptions({ failureLimit: given }).failureLimit).to.deep.equal(resolved);
    }
  });

  it('lets a burst through, and of what follows at once only the first', () => {
    open({ burst: 10, perSecond: 5 });
    expect(admitted(100)).to.equal(10 + 1);
  });

  it('lets the rate through, and no more however long it was quiet than a burst', () => {
    open({ burst: 10, perSecond: 5 });
    admitted(100);
    nowMs += 400;
    expect(admitted(100)).to.equal(2);
    nowMs += 3_600_000;
    expect(admitted(100)).to.equal(10 + 1);
  });

  it('counts fractions of a failure: a steady trickle at the rate is never summed', () => {
    open({ burst: 1, perSecond: 10 });
    useUpFirst();
    admitted(1);
    const passed = Array.from({ length: 500 }, () => {
      nowMs += 100;
      return limit.admits(failure());
    });
    expect(passed).not.to.include(false);
  });

  it('lets the rate through also without a burst', () => {
    open({ burst: 0, perSecond: 10 });
    useUpFirst();
    const passed = Array.from({ length: 9 }, () => ((nowMs += 100), limit.admits(failure())));
    expect(passed.filter(Boolean)).to.have.length(9);
  });

  it('lets the first of each second through for each action, target and address', () => {
    open({ burst: 0, perSecond: 0 });
    const others = [
      { action: 'auth.mfa_verify' },
      { target: 'session' },
      { ipAddress: '192.0.2.1' },
      { ipAddress: null },
    ];
    for (const given of [{}, ...others]) expect(admitted(50, given), JSON.stringify(given)).to.equal(1);
    nowMs += 999;
    expect(admitted(50)).to.equal(0);
    nowMs += 1;
    for (const given of [{}, ...others]) expect(admitted(50, given), JSON.stringify(given)).to.equal(1);
  });

  it('tells clients by their address and nothing that they type', () => {
    open({ burst: 0, perSecond: 0 });
    const typed = Array.from({ length: 50 }, (_, n) =>
      failure({ targetId: `u${n}`, userAgent: `${n}`, requestId: `${n}` }),
    );
    expect(typed.filter((event) => limit.admits(event))).to.have.length(1);
  });

  it('takes a whole /64 of IPv6 for one client, however it is written', () => {
    open({ burst: 0, perSecond: 0 });
    const addresses = ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:0DB8:0001:0002:0:0:0:9'];
    expect(addresses.map((ipAddress) => admitted(1, { ipAddress }))).to.deep.equal([1, 0, 0]);
    expect(admitted(1, { ipAddress: '2001:db8:1:3::1' })).to.equal(1);
  });

  it('lets no more than 1,000 first ones through a second, whatever the number of addresses', () => {
    open({ burst: 0, perSecond: 0 });
    const flood = () =>
      Array.from({ length: 70_000 }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`).filter((ipAddress) =>
        limit.admits(failure({ ipAddress })),
      ).length;
    expect(flood()).to.equal(1000);
    expect(flood()).to.equal(0);
    nowMs += 1000;
    expect(flood()).to.equal(1000);
  });

  it('is for failures and errors that name no actor, and not for what the package says of the trail', () => {
    expect(isNameless(failure())).to.equal(true);
    expect(isNameless(failure({ status: 'error' }))).to.equal(true);
    expect(isNameless(failure({ status: 'success' }))).to.equal(false);
    expect(isNameless(failure({ actorId: 'u1' }))).to.equal(false);
    expect(isNameless(failure({ source: 'system', action: 'audit.gap' }))).to.equal(false);
  });
});
