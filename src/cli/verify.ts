/** `strongroom verify`: whether the trail is what was sealed, from a database or an exported folder. The judging is the library's. */
import { OptionsError } from '../errors.js';
import { readVerifierKeys } from '../evidence/keys.js';
import type { VerifyReport, VerifyState } from '../evidence/report.js';
import type { EvidenceSource } from '../evidence/source.js';
import { verifyEvidence, type VerifyEvidenceOptions } from '../evidence/verify.js';
import { isRecord } from '../settings.js';
import { createEvidenceSource } from '../mongo/evidence-source.js';
import { ledgerOf } from '../mongo/excess.js';
import { type Call, type Command, COLLECTION_FLAG, JSON_FLAG, KEYS_FLAG, type Outcome, URI_FLAG } from './command.js';
import { findCollections, type Place, withDatabase } from './database.js';
import { openExportFolder } from './export-folder.js';
import { RefusalError } from './failure.js';
import { naming, readText, readTextIfThere, writeWhole } from './files.js';
import { counted, printable } from './output.js';
import { withProgress } from './progress.js';

/** Verifies a trail. */
export const verify: Command = {
  name: 'verify',
  summary: 'checks the ledger, every event against its seal, and what is left over',
  flags: {
    uri: URI_FLAG,
    from: { value: 'FOLDER', help: 'an export, instead of a database' },
    collection: COLLECTION_FLAG,
    keys: { ...KEYS_FLAG, isRequired: true },
    anchor: { value: 'FILE', isRepeatable: true, help: 'notes that were kept elsewhere: one, or what an anchor wrote' },
    state: {
      value: 'FILE',
      help: 'what an earlier verification left, if it is there; written anew when all is intact. Keep it where nobody else can write',
    },
    json: JSON_FLAG,
  },
  run,
};

/** The options without the time, which belongs to the source. */
type Against = Omit<VerifyEvidenceOptions, 'now' | 'onProgress'>;

async function run(call: Call): Promise<Outcome> {
  const { flags } = call;
  const isFolder = flags.has('from');
  if (isFolder && flags.has('uri')) throw new OptionsError('--uri and --from exclude each other');
  const against = await readAgainst(call);
  const report = await (isFolder
    ? verifyFolder(call, against)
    : withDatabase(call, (place) => verifyPlace(call, place, against)));
  if (report.intact && report.entries === 0) {
    throw new RefusalError('the ledger is empty: nothing was ever sealed there, so that nothing could be verified');
  }
  if (flags.has('state') && report.intact) await writeWhole(flags.path('state'), `${JSON.stringify(report.state)}\n`);
  return { code: report.intact ? 0 : 1, result: report, text: describe(report) };
}

async function readAgainst({ flags }: Call): Promise<Against> {
  const keys = readVerifierKeys([await readText(flags.path('keys'))], '--keys');
  const anchors = await Promise.all(flags.list('anchor').map((path) => readText({ flag: '--anchor', path })));
  const text = flags.has('state') ? await readTextIfThere(flags.path('state')) : undefined;
  return { keys, anchors, state: text === undefined ? undefined : readState(text) };
}

/** JSON.parse quotes its input in its message: it goes no further. */
function readState(text: string): VerifyState {
  const problem = new OptionsError('--state must be a file that an earlier verification wrote');
  try {
    const state: unknown = JSON.parse(text);
    if (isRecord(state)) return state as unknown as VerifyState;
  } catch {
    throw problem;
  }
  throw problem;
}

async function verifyPlace(call: Call, place: Place, against: Against): Promise<VerifyReport> {
  const source = createEvidenceSource(place.db, place.collection);
  const report = await judge(call, source, { ...against, now: new Date(call.now()) });
  if (report.entries === 0 && report.intact) await assertThere(place);
  return report;
}

/** No ledger at all is mostly the wrong place. */
async function assertThere(place: Place): Promise<void> {
  const ledger = ledgerOf(place.collection);
  if ((await findCollections(place, [ledger])).length > 0) return;
  throw new RefusalError(`there is no ledger "${ledger}" in this database: nothing could be verified`);
}

function verifyFolder(call: Call, against: Against): Promise<VerifyReport> {
  const named = call.flags.path('from');
  return naming(named, async () => {
    const { source, now, close } = await openExportFolder(named.path, new Date(call.now()));
    try {
      return await judge(call, source, { ...against, now });
    } finally {
      await close();
    }
  });
}

function judge(
  call: Call,
  source: EvidenceSource,
  options: Omit<VerifyEvidenceOptions, 'onProgress'>,
): Promise<VerifyReport> {
  return withProgress(call, 'verify', (onProgress) => verifyEvidence(source, { ...options, onProgress }));
}

function describe({ intact, events, entries, violations, warnings }: VerifyReport): string {
  const findings = [...violations, ...warnings.map((warning) => ({ ...warning, kind: `warning ${warning.kind}` }))];
  const verdict = intact ? 'intact' : `NOT intact: ${counted(violations.length, 'violation')}`;
  return [
    `${counted(entries, 'entry', 'entries')} of the ledger, ${counted(events, 'event')}, ${counted(warnings.length, 'warning')}`,
    ...findings.map(({ kind, where, detail }) => [kind, where, detail].map(printable).join('  ')),
    verdict,
    '',
  ].join('\n');
}
