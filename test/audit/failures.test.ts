/** Failures on their way into the queue: sums, their room, who waits for them. On a clock that the test moves, without a database. */
import { expect } from 'chai';
import { Failures } from '../../src/audit/failures.js';
import type { ResolvedFailureLimit } from '../../src/audit/failure-limit.js';
import { countActs, Pending } from '../../src/audit/pending.js';
import type { UnnumberedEvent } from '../../src/audit/store.js';
import type { IsStrict } from '../../src/audit/strict-actions.js';
import { AuditWriteError } from '../../src/errors.js';
import type { AuditEvent } from '../../src/event.js';
import { makeEvent } from './events.js';

const BYTES = 1000;

describe('audit/failures', () => {
  let nowMs: number;
  let pending: Pending;
  let failures: Failures;
  let lost: number;
  let releases: number;
  afterEach(() => failures.release());

  function open(
    limit: ResolvedFailureLimit | false = { burst: 0, perSecond: 0 },
    maxBytes: number = 1_000_000,
    isStrict: IsStrict | null = null,
  ): void {
    nowMs = 5_000_000;
    lost = 0;
    releases = 0;
    pending = new Pending({ timeoutMs: 1e6, maxBytes });
    failures = new Failures({
      limit,
      pending,
      isStrict,
      now: () => nowMs,
      onReleased: () => (releases += 1),
      overflow: () => ((lost += 1), new AuditWriteError('AUDIT_UNAVAILABLE', 'full')),
    });
  }
  const failure = (given: Partial<UnnumberedEvent> = {}) => makeEvent({ status: 'failure', actorId: null, ...given });
  /** Records as the recorder does; whether it was summed, and what the caller hears. */
  function record(given: Partial<UnnumberedEvent> = {}): { isSummed: boolean; told: Promise<AuditEvent | string> } {
    let isSummed = false;
    const told = new Promise<AuditEvent>((resolve, reject) => {
      isSummed = failures.sum({ event: failure(given), bytes: BYTES }, performance.now(), { resolve, reject });
      if (!isSummed) resolve(failure(given));
    }).catch((error: unknown) => (error as Error).message);
    return { isSummed, told };
  }
  const queued = () => pending.peek(1e6, 1e9);
  const counts = () => queued().map(({ event }) => [event.action, event.meta['count'] ?? 1]);

  it('gives one event per action and second, in the order in which they began', () => {
    open();
    for (const action of ['auth.login', 'auth.mfa_verify']) record({ action });
    for (let n = 0; n < 30; n += 1) record({ action: n % 3 === 0 ? 'auth.mfa_verify' : 'auth.login' });
    expect(counts()).to.deep.equal([]);
    nowMs += 1000;
    record();
    expect(record().isSummed).to.equal(true);
    expect(counts()).to.deep.equal([
      ['auth.mfa_verify', 10],
      ['auth.login', 20],
    ]);
    failures.release();
    expect(counts().at(-1)).to.deep.equal(['auth.login', 1]);
    expect(releases).to.equal(2);
    expect(failures.sums).to.equal(0);
  });

  it('puts a sum into the queue when its second is over, by itself', async () => {
    open();
    nowMs += 995;
    record();
    record();
    expect(counts()).to.deep.equal([]);
    const deadline = Date.now() + 5000;
    while (queued().length === 0 && Date.now() < deadline) await new Promise(setImmediate);
    expect(counts()).to.deep.equal([['auth.login', 1]]);
  });

  it('tells every caller with the summed event, once it is durable', async () => {
    open();
    record();
    const callers = [record(), record(), record()];
    failures.release();
    const [entry] = pending.settle(1);
    entry?.resolve(entry.event);
    expect(entry?.event.meta['count']).to.equal(3);
    for (const { told } of callers) expect(await told).to.equal(entry?.event);
  });

  it('counts whom nobody can wait for any more, tells him at once, and goes on when others have left', async () => {
    open();
    record();
    for (let n = 0; n < 10_000; n += 1) record();
    expect(await record().told).to.match(/counted in a summed event/);
    failures.release();
    const [entry] = pending.settle(1);
    expect(entry?.event.meta['count']).to.equal(10_001);
    expect(lost).to.equal(0);
    entry?.reject(new Error('too late'));
    const { told } = record();
    failures.release();
    queued()[0]?.reject(new Error('heard'));
    expect(await told).to.equal('heard');
  });

  it('stands for as many acts as it counts', () => {
    open();
    for (let n = 0; n < 8; n += 1) record();
    failures.release();
    expect(countActs(queued())).to.equal(7);
    expect(countActs([...queued(), ...queued()])).to.equal(14);
  });

  it('leaves three quarters of the room to events that name an actor, and counts what has no room as lost', async () => {
    open({ burst: 0, perSecond: 0 }, 10 * BYTES);
    expect(pending.reserve(BYTES, true)).to.equal(true);
    record({ action: 'a' });
    record({ action: 'a' });
    record({ action: 'b' });
    expect(await record({ action: 'b' }).told).to.equal('full');
    expect(lost).to.equal(1);
    expect(pending.reserve(BYTES, true)).to.equal(false);
    expect(pending.reserve(8 * BYTES)).to.equal(true);
  });

  it('gives the room back when a sum leaves the queue', () => {
    open({ burst: 0, perSecond: 0 }, 4 * BYTES);
    for (let second = 0; second < 10; second += 1) {
      nowMs += 1000;
      record();
      record();
      failures.release();
      expect(pending.settle(1)).to.have.length(1);
    }
    expect({ lost, bytes: pending.bytes }).to.deep.equal({ lost: 0, bytes: 0 });
  });

  it('never sums a strict action, which shares the room all the same', () => {
    open({ burst: 0, perSecond: 0 }, 4 * BYTES, (action) => action === 'auth.login');
    for (let n = 0; n < 50; n += 1) expect(record().isSummed).to.equal(false);
    record({ action: 'auth.mfa_verify' });
    expect(record({ action: 'auth.mfa_verify' }).isSummed).to.equal(true);
    expect(failures.limits(failure())).to.equal(true);
  });

  it('leaves everything else alone', () => {
    open();
    for (let n = 0; n < 5; n += 1) {
      expect(record({ actorId: 'u1' }).isSummed).to.equal(false);
      expect(record({ status: 'success' }).isSummed).to.equal(false);
      expect(record({ action: 'audit.gap', source: 'system' }).isSummed).to.equal(false);
    }
    expect(failures.limits(failure({ actorId: 'u1' }))).to.equal(false);
    expect(failures.limits(failure())).to.equal(true);
  });

  it('sums nothing when it is switched off, and keeps the room of others free all the same', () => {
    open(false);
    for (let n = 0; n < 5000; n += 1) expect(record().isSummed).to.equal(false);
    expect(failures.limits(failure())).to.equal(true);
    expect(failures.limits(failure({ actorId: 'u1' }))).to.equal(false);
  });
});
