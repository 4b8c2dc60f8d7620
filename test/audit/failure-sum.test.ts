/** What a sum of failures says: how many, from when to when, and what they had in common. */
import { expect } from 'chai';
import { FailureSum } from '../../src/audit/failure-sum.js';
import type { UnnumberedEvent } from '../../src/audit/store.js';
import { makeEvent } from './events.js';

describe('audit/failure-sum', () => {
  const failure = (given: Partial<UnnumberedEvent> = {}) =>
    makeEvent({
      status: 'failure',
      actorId: null,
      reason: 'invalid_credentials',
      http: { method: 'POST', route: '/login', status: 401 },
      meta: { typed: 1 },
      ...given,
    });
  const sumOf = (...given: readonly Partial<UnnumberedEvent>[]) => {
    const [first, ...more] = given.map(failure);
    const sum = new FailureSum(first as UnnumberedEvent);
    for (const event of more) sum.add(event);
    return sum;
  };
  const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds));

  it('leaves a single failure as it was, its meta too', () => {
    expect(sumOf({}).toEvent()).to.deep.equal(failure());
  });

  it('counts, from the earliest to the latest, whatever their order', () => {
    const sum = sumOf({ at: at(5) }, { at: at(3) }, { at: at(9) }, { at: at(7) });
    expect(sum.count).to.equal(4);
    expect(sum.toEvent()).to.deep.equal(failure({ at: at(3), meta: { count: 4, lastAt: '2026-01-01T00:00:09.000Z' } }));
  });

  it('keeps what all had in common, and says of the rest that it differed', () => {
    const different: readonly [keyof UnnumberedEvent, unknown, unknown][] = [
      ['target', 'session', 'various'],
      ['targetId', 'u2', null],
      ['status', 'error', 'failure'],
      ['reason', 'locked', null],
      ['ipAddress', '192.0.2.1', null],
      ['userAgent', 'curl', null],
      ['requestId', 'r2', null],
      ['tenantId', 't2', null],
      ['onBehalfOf', 'c2', null],
      ['actorRole', 'GUEST', 'USER'],
      ['source', 'passport', 'system'],
      ['http', { method: 'POST', route: '/login', status: 403 }, null],
      ['http', { method: 'PUT', route: '/login', status: 401 }, null],
      ['http', { method: 'POST', route: '/signin', status: 401 }, null],
      ['http', null, null],
    ];
    const meta = { count: 3, lastAt: failure().at.toISOString() };
    for (const [member, value, expected] of different) {
      // The third agrees with the first: what differed once stays unsaid.
      expect(sumOf({}, { [member]: value }, {}).toEvent(), member).to.deep.equal(failure({ meta, [member]: expected }));
    }
  });

  it('changes none of the events that it was given', () => {
    const first = failure();
    const sum = new FailureSum(first);
    sum.add(failure({ targetId: 'u2', http: null }));
    expect(first).to.deep.equal(failure());
  });
});
