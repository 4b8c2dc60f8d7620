/** Verifies an exported folder in a process of its own, and tells its parent how fast and with how much memory. */
import { openExportFolder } from '../../dist/esm/cli/export-folder.js';
import { readVerifierKeys } from '../../dist/esm/evidence/keys.js';
import { verifyEvidence } from '../../dist/esm/evidence/verify.js';
import type { FolderRun } from './evidence.js';

const [folder = '', vkey = '', expected = ''] = process.argv.slice(2);
const count = Number(expected);
let earlyBytes = 0;
let peakBytes = 0;

const opened = await openExportFolder(folder, new Date());
const started = performance.now();
const report = await verifyEvidence(opened.source, {
  keys: readVerifierKeys([vkey], 'keys'),
  now: opened.now,
  onProgress: ({ done }) => {
    const { rss } = process.memoryUsage();
    if (done < count / 10) earlyBytes = Math.max(earlyBytes, rss);
    else peakBytes = Math.max(peakBytes, rss);
  },
});
const perSecond = (count / (performance.now() - started)) * 1000;
if (!report.intact || report.events !== count) throw new Error(JSON.stringify(report.violations.slice(0, 3)));
process.send?.({ perSecond, earlyBytes, peakBytes } satisfies FolderRun);
await opened.close();
process.disconnect();
