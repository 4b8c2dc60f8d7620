/** Who was there before the act, who came and who went. */
import { expect } from 'chai';
import type { Request } from 'express';
import { Presence } from '../../src/http/presence.js';

type Fake = { user?: unknown; session?: Record<string, unknown> | null | undefined };

const ALICE = { id: 'alice', role: 'user' };
const BOB = { id: 'bob', role: 'admin' };

function watch(fake: Fake): { presence: Presence; assign(user: unknown): void } {
  const presence = new Presence(fake as Request, undefined);
  return {
    presence,
    assign(user) {
      fake.user = user;
      presence.assigned();
    },
  };
}

describe('Presence', () => {
  it('of nobody is nobody, before and after', () => {
    const { presence } = watch({});
    presence.routed();
    expect([presence.before(), presence.now(), presence.came(), presence.went()]).to.deep.equal([
      null,
      null,
      null,
      false,
    ]);
  });

  it('knows by the route who sits in a session that began after the middleware', () => {
    const fake: Fake = {};
    const { presence } = watch(fake);
    fake.session = { user: ALICE };
    presence.routed();
    fake.session = null;
    expect(presence.before()?.id).to.equal('alice');
    expect(presence.went()).to.equal(true);
  });

  it('takes the last of those who were assigned before the route for the actor: a member of staff may act as a customer', () => {
    const { presence, assign } = watch({});
    assign(ALICE);
    assign(BOB);
    presence.routed();
    expect(presence.before()).to.include({ id: 'bob', role: 'admin' });
  });

  it('takes the first of those who were assigned in the route, whoever follows', () => {
    const { presence, assign } = watch({});
    presence.routed();
    assign(ALICE);
    assign({ ...ALICE, role: 'admin' });
    assign(BOB);
    expect(presence.before()).to.include({ id: 'alice', role: 'user' });
  });

  it('remembers who was there although they left before the route', () => {
    const { presence, assign } = watch({});
    assign(ALICE);
    assign(null);
    presence.routed();
    expect(presence.before()?.id).to.equal('alice');
  });

  it('sees the same user come when they are assigned again, and not when they just stay', () => {
    const { presence, assign } = watch({ user: ALICE });
    presence.routed();
    expect(presence.came()).to.equal(null);
    assign(ALICE);
    expect(presence.came()?.id).to.equal('alice');
  });

  it('sees another user come in a session, and the same one in a new session', () => {
    const fake: Fake = { session: { userId: 'alice' } };
    const { presence } = watch(fake);
    presence.routed();
    expect(presence.came()).to.equal(null);
    fake.session = { userId: 'alice' };
    expect(presence.came()?.id).to.equal('alice');
    fake.session['userId'] = 'bob';
    expect(presence.came()?.id).to.equal('bob');
  });

  it('counts after an abort only who came and went since', () => {
    const { presence, assign } = watch({ user: ALICE });
    presence.routed();
    assign(ALICE);
    presence.aborted();
    expect([presence.cameAfterAbort(), presence.wentAfterAbort()]).to.deep.equal([false, false]);
    assign(ALICE);
    expect(presence.cameAfterAbort()).to.equal(true);
    assign(null);
    expect(presence.wentAfterAbort()).to.equal(true);
  });

  it('sees nobody go after an abort who went before it', () => {
    const { presence, assign } = watch({ user: ALICE });
    assign(null);
    presence.aborted();
    expect([presence.went(), presence.wentAfterAbort()]).to.deep.equal([true, false]);
  });

  it('keeps the role by value', () => {
    const user = { id: 'alice', role: 'user' };
    const { presence } = watch({ user });
    user.role = 'admin';
    expect(presence.before()?.role).to.equal('user');
    expect(presence.now()?.role).to.equal('admin');
  });
});
