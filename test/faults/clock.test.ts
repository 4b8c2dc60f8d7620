/** The wall clock of a process steps back and forth while others keep time: events stay in the order of their stream and the evidence verifies. */
import { expect } from 'chai';
import { scenario, MODES } from './scenario.js';

const MINUTE_MS = 60_000;
/** In sum it ends behind the time at which it began. */
const STEPS_MS = [-1000, -10 * MINUTE_MS, 30 * MINUTE_MS, -30 * MINUTE_MS, -150 * MINUTE_MS, 60 * MINUTE_MS];

for (const { spool, called } of MODES) {
  describe(`Clocks, ${called}`, () => {
    scenario('the clock of a process steps', 40, async (scene) => {
      const server = await scene.mongod();
      const world = await scene.world({ uri: server.uri, spool });
      const stepping = world.start();
      const steady = world.start();
      for (const stepClockMs of STEPS_MS) {
        await Promise.all([stepping.progress(100), steady.progress(100)]);
        stepping.order({ stepClockMs });
      }
      await Promise.all([stepping.progress(100), steady.progress(100)]);
      const { report } = await world.settle({ warnings: ['event-late'] });
      // An event that is said to be hours older than the seal before it is worth a warning, and honest.
      const late = report.warnings.filter(({ kind }) => kind === 'event-late');
      expect(late).to.have.length.above(0);
      expect(world.complaints).to.deep.equal([]);
    });
  });
}
