/** `roleChanges()` by every way to write: what is told, and that an app sees no difference. */
import { expect } from 'chai';
import type { MongoMemoryReplSet } from 'mongodb-memory-server';
import { startReplicaSet } from '../mongod.js';
import { CASES, stageOf } from './role-changes-cases.js';
import { createWorld, outcomeOf, storedIn, type Told, VERSIONS, type World } from './role-changes-world.js';

/** By name: one write to many tells them in no order. */
function sorted(told: readonly Told[]): Told[] {
  return told.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

describe('roleChanges()', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryReplSet;
  before(async () => {
    server = await startReplicaSet();
  });
  after(() => server.stop());

  for (const [version, base] of VERSIONS) {
    describe(`on ${version}`, () => {
      let world: World;
      before(async () => {
        world = await createWorld(base, { uri: server.getUri(`roles_${base.version[0]}`) });
      });
      after(() => world.close());
      beforeEach(() => world.reset());

      for (const [of, cases] of CASES) {
        describe(`sees ${of}:`, () => {
          for (const [name, act, told] of cases) {
            it(`${name} tells ${told.length === 0 ? 'nothing' : JSON.stringify(told)}`, async () => {
              const bare = await outcomeOf(() => act(stageOf(base, world.Bare)));
              const seen = await outcomeOf(() => act(stageOf(base, world.User)));
              expect(seen).to.deep.equal(bare);
              expect(await storedIn(world, world.User)).to.deep.equal(await storedIn(world, world.Bare));
              expect(sorted(await world.told())).to.deep.equal(sorted(told));
            });
          }
        });
      }
    });
  }
});
