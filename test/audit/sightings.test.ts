/** One act, one event: how sightings of one request are merged. */
import { expect } from 'chai';
import { createSightings, type Sighting, type Witness } from '../../src/audit/sightings.js';
import type { AuditDraft } from '../../src/event.js';

function sighting(source: Witness, draft: Partial<AuditDraft>): Sighting {
  return { source, draft: { action: 'user.role_change', target: 'user', status: 'success', ...draft } };
}

function settle(...seen: Sighting[]): Sighting[] {
  const sightings = createSightings();
  for (const one of seen) sightings.add(one);
  return sightings.settle();
}

describe('Sightings', () => {
  it('give what a single witness saw, as it saw it', () => {
    const route = sighting('route', { targetId: 'u1' });
    expect(settle(route)).to.deep.equal([route]);
  });

  it('are empty when nothing was seen, and after they were settled', () => {
    expect(createSightings().settle()).to.deep.equal([]);
    const sightings = createSightings();
    sightings.add(sighting('route', {}));
    expect(sightings.settle()).to.have.length(1);
    expect(sightings.settle()).to.deep.equal([]);
  });

  it('believe mongoose before passport before the route, in whatever order they came', () => {
    const merged = settle(
      sighting('route', { targetId: 'alice', reason: 'from route' }),
      sighting('passport', { targetId: 'u1', actorId: 'p' }),
      sighting('mongoose', { targetId: 'u1' }),
    );
    expect(merged).to.have.length(1);
    expect(merged[0]?.source).to.equal('mongoose');
    expect(merged[0]?.draft).to.include({ targetId: 'u1', actorId: 'p', reason: 'from route' });
  });

  it('fill empty members only, and a reason only where the status agrees', () => {
    const [merged] = settle(
      sighting('passport', { status: 'failure', reason: null, targetId: 'u1', actorId: null }),
      sighting('route', { status: 'success', reason: 'redirected', targetId: 'x', actorId: 'a', meta: { n: 1 } }),
    );
    expect(merged?.draft).to.deep.include({
      status: 'failure',
      reason: null,
      targetId: 'u1',
      actorId: 'a',
      meta: { n: 1 },
    });
  });

  it('do not lend the role of one actor to another', () => {
    const [merged] = settle(
      sighting('mongoose', { targetId: 'u1', actorId: 'a' }),
      sighting('route', { actorId: 'b', actorRole: 'ADMIN' }),
    );
    expect(merged?.draft.actorRole).to.equal(undefined);
  });

  it('keep two users that were changed apart, and drop the route that led to both', () => {
    const merged = settle(
      sighting('mongoose', { targetId: 'u1' }),
      sighting('mongoose', { targetId: 'u2' }),
      sighting('route', { targetId: 'alice', actorId: 'admin' }),
    );
    expect(merged.map(({ draft }) => draft.targetId)).to.deep.equal(['u1', 'u2']);
    expect(merged.map(({ draft }) => draft.actorId)).to.deep.equal(['admin', 'admin']);
  });

  it('keep two acts of one request apart', () => {
    const merged = settle(
      sighting('route', { action: 'auth.register', targetId: 'u1' }),
      sighting('passport', { action: 'auth.login', targetId: 'u1' }),
    );
    expect(merged).to.have.length(2);
  });

  it('are silent about the route of an act that the app recorded, whatever target it named', () => {
    const sightings = createSightings();
    sightings.add(sighting('route', { targetId: 'alice' }));
    sightings.noteExplicit('user.role_change', 'user', 'u1');
    expect(sightings.settle()).to.deep.equal([]);
  });

  it('are silent about others of an act that the app recorded only where the target agrees', () => {
    const sightings = createSightings();
    sightings.noteExplicit('user.role_change', 'user', 'u1');
    sightings.add(sighting('mongoose', { targetId: 'u1' }));
    sightings.add(sighting('mongoose', { targetId: 'u2' }));
    sightings.add(sighting('mongoose', { targetId: 'u1', target: 'team' }));
    expect(sightings.settle().map(({ draft }) => [draft.target, draft.targetId])).to.deep.equal([
      ['user', 'u2'],
      ['team', 'u1'],
    ]);
  });

  it('take what the app left out as anything: no target, no id', () => {
    const sightings = createSightings();
    sightings.noteExplicit('user.role_change', 'system', null);
    sightings.add(sighting('mongoose', { targetId: 'u1' }));
    expect(sightings.settle()).to.deep.equal([]);
  });

  it('stop telling targets apart when one request records without end, so that memory stays bounded', () => {
    const sightings = createSightings();
    for (let index = 0; index < 5000; index += 1) sightings.noteExplicit('user.role_change', 'user', `u${index}`);
    sightings.add(sighting('mongoose', { targetId: 'never named' }));
    expect(sightings.settle()).to.deep.equal([]);
  });

  it('keep two changes of one user apart that the data layer saw: each really happened', () => {
    const merged = settle(
      sighting('mongoose', { targetId: 'u1', meta: { oldRole: 'a', newRole: 'b' } }),
      sighting('mongoose', { targetId: 'u1', meta: { oldRole: 'b', newRole: 'c' } }),
      sighting('passport', { targetId: 'u1', tenantId: 't' }),
    );
    expect(merged.map(({ draft }) => [draft.meta?.['newRole'], draft.tenantId])).to.deep.equal([
      ['b', 't'],
      ['c', 't'],
    ]);
  });

  it('do not fill in an actor where the data layer says that there was nobody', () => {
    const [merged] = settle(
      sighting('mongoose', { targetId: 'u1', actorId: null, actorRole: 'CRON', onBehalfOf: null }),
      sighting('route', { actorId: 'b', actorRole: 'ADMIN', onBehalfOf: 'c', tenantId: 't' }),
    );
    expect(merged?.draft).to.deep.include({ actorId: null, actorRole: 'CRON', onBehalfOf: null, tenantId: 't' });
  });

  it('take nothing more when they were settled, and say so', () => {
    const sightings = createSightings();
    expect(sightings.add(sighting('mongoose', {}))).to.equal(true);
    sightings.settle();
    expect(sightings.add(sighting('mongoose', {}))).to.equal(false);
    expect(sightings.settle()).to.deep.equal([]);
  });

  it('hold a thousand, and still the route that led to them', () => {
    const sightings = createSightings();
    const taken = Array.from({ length: 1200 }, (_, index) =>
      sightings.add(sighting('mongoose', { targetId: `u${index}` })),
    );
    expect(taken.filter(Boolean)).to.have.length(1000);
    expect(sightings.add(sighting('route', { actorId: 'a' }))).to.equal(true);
    expect(sightings.settle().every(({ source, draft }) => source === 'mongoose' && draft.actorId === 'a')).to.equal(
      true,
    );
  });
});
