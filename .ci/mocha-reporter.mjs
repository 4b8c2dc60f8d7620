/** Mocha's own spec reporter, which also writes its counts to the file that STRONGROOM_COUNTS names and ends a run that hangs. */
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/** How long a finished run may take to end by itself. */
const GRACE_MS = 30_000;

export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once('end', () => {
      this.writeCounts(process.env.STRONGROOM_COUNTS);
      // Without a reference: a run that leaves nothing open is over before.
      setTimeout(failAsOpen, GRACE_MS).unref();
    });
  }

  writeCounts(path) {
    if (!path) return;
    const { passes, failures, pending } = this.stats;
    const skipped = pending > 0 ? `, ${pending} skipped` : '';
    writeFileSync(path, `tests: ${passes} passed, ${failures} failed${skipped}\n`);
  }
}

function failAsOpen() {
  const open = process.getActiveResourcesInfo().join(', ');
  console.error(`The tests are over, but something keeps the process alive: ${open}`);
  // mocha sets the code in a listener of its own, which came before this one.
  process.once('exit', () => (process.exitCode = 1));
  process.exit();
}
