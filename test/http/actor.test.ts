/** Where the actor is found, and the forms that ids and roles take. */
import { expect } from 'chai';
import type { Request } from 'express';
import mongoose from 'mongoose';
import type { Actor } from '../../src/event.js';
import { type ActorResolver, findActor, readActor } from '../../src/http/actor.js';

function found(req: object, resolver?: ActorResolver): Actor | undefined {
  return findActor(req as Request, resolver)?.actor;
}

const thrower = {
  get user(): never {
    throw new Error('no');
  },
};

describe('The actor', () => {
  it('is named by the option first, then by the usual places in their order', () => {
    const places = {
      user: { id: 'user' },
      auth: { sub: 'auth' },
      session: { user: { id: 'session' }, userId: 'userId' },
      oidc: { user: { sub: 'oidc' } },
    };
    expect(found(places, () => ({ id: 'option' }))?.id).to.equal('option');
    expect(found(places)?.id).to.equal('user');
    expect(found({ ...places, user: undefined })?.id).to.equal('auth');
    expect(found({ ...places, user: null, auth: undefined })?.id).to.equal('session');
    expect(found({ oidc: places.oidc, session: { userId: 'userId' } })?.id).to.equal('oidc');
    expect(found({ session: { userId: 7 } })?.id).to.equal('7');
    expect(found({})).to.equal(undefined);
  });

  it('is found in what common middleware leaves in req.auth', () => {
    expect(found({ auth: { payload: { sub: 'bearer' } } })?.id).to.equal('bearer');
    expect(found({ auth: { user: 'basic', password: 'x' } })?.id).to.equal('basic');
    expect(found({ auth: () => ({ userId: 'clerk' }) })?.id).to.equal('clerk');
    expect(found({ auth: Object.assign(() => null, { userId: 'clerk-4' }) })?.id).to.equal('clerk-4');
  });

  it('is never a bare text in req.auth, which may be a token', () => {
    expect(found({ auth: 'Bearer abc' })).to.equal(undefined);
  });

  it('is nobody by a getter or resolver that throws, is async, or names nobody; the next place is looked at', () => {
    expect(found(thrower)).to.equal(undefined);
    expect(found(Object.assign(Object.create(thrower) as object, { auth: { id: 'a' } }))?.id).to.equal('a');
    const user = { id: 'u' };
    expect(
      found({ user }, () => {
        throw new Error('no');
      })?.id,
    ).to.equal('u');
    expect(found({ user }, (() => Promise.reject(new Error('no'))) as unknown as ActorResolver)?.id).to.equal('u');
    expect(found({ user }, () => null)?.id).to.equal('u');
    expect(
      found({
        auth: () => {
          throw new Error('no');
        },
      }),
    ).to.equal(undefined);
    expect(
      found({
        user: new Proxy(
          {},
          {
            get() {
              throw new Error('no');
            },
          },
        ),
      }),
    ).to.equal(undefined);
  });

  it('has its id as text, whatever library made it', () => {
    const id = new mongoose.Types.ObjectId();
    const uuid = new mongoose.Types.UUID('8c0f4d84-5c3c-4b0e-9f1e-0d7c4d2d1b11');
    expect(readActor({ _id: id })).to.deep.equal({ id: id.toHexString() });
    expect(readActor({ id: uuid })?.id).to.equal('8c0f4d84-5c3c-4b0e-9f1e-0d7c4d2d1b11');
    const long = { _bsontype: 'Long', toString: () => '9007199254740993' };
    expect(readActor({ _id: long })?.id).to.equal('9007199254740993');
    expect(readActor({ id: 42 })?.id).to.equal('42');
    expect(readActor({ id: 42n })?.id).to.equal('42');
    expect(readActor({ id: 0 })?.id).to.equal('0');
    expect(readActor({ id: '', _id: 'second' })?.id).to.equal('second');
    expect(readActor({ id: {}, sub: 'third' })?.id).to.equal('third');
    expect(readActor({ id: Number.NaN })).to.equal(null);
    expect(readActor('bare')?.id).to.equal('bare');
  });

  it('has its role as it is written, else the first of its roles, else none', () => {
    expect(readActor({ id: 'u', role: 'admin' })?.role).to.equal('admin');
    expect(readActor({ id: 'u', roles: ['editor', 'admin'] })?.role).to.equal('editor');
    expect(readActor({ id: 'u', role: { name: 'x' }, roles: [] })).to.deep.equal({ id: 'u' });
  });

  it('has a tenant and a principal only when the app says so, not because a user object has such members', () => {
    const whole = { id: 'u', onBehalfOf: 'c', tenantId: 't' };
    expect(found({}, () => whole)).to.deep.equal(whole);
    expect(found({ user: whole })).to.deep.equal({ id: 'u' });
  });
});
