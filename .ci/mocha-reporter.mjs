/** Mocha's own spec reporter, which also writes its counts to the file that STRONGROOM_COUNTS names. */
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once('end', () => this.writeCounts(process.env.STRONGROOM_COUNTS));
  }

  writeCounts(path) {
    if (!path) return;
    const { passes, failures, pending } = this.stats;
    const skipped = pending > 0 ? `, ${pending} skipped` : '';
    writeFileSync(path, `tests: ${passes} passed, ${failures} failed${skipped}\n`);
  }
}
