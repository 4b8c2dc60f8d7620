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
import { type Place, withDatabase } from './database.js';
import { openExportFolder } from './export-folder.js';
import { RefusalError } from './failure.js';
import { readText, readTextIfThere, writeWhole } from './files.js';
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
  const from = flags.text('from');
  if (from !== undefined && flags.has('uri')) throw new OptionsError('--uri and --from exclude each other');
  const against = await readAgainst(call);
  const report = await (from === undefined
    ? withDatabase(call, (place) => verifyPlace(call, place, against))
    : verifyFolder(call, from, against));
  const state = flags.text('state');
  if (state !== undefined && report.intact) await writeWhole(state, `${JSON.stringify(report.state)}\n`);
  return { code: report.intact ? 0 : 1, result: report, text: describe(report) };
}

async function readAgainst({ flags }: Call): Promise<Against> {
  const keys = readVerifierKeys([await readText(flags.required('keys'))], '--keys');
  const anchors = await Promise.all(flags.list('anchor').map(readText));
  const path = flags.text('state');
  const text = path === undefined ? undefined : await readTextIfThere(path);
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

async function verifyPlace(call: Call, { db, collection }: Place, against: Against): Promise<VerifyReport> {
  const source = createEvidenceSource(db, collection);
  const report = await judge(call, source, { ...against, now: new Date(call.now()) });
  if (report.entries === 0 && report.events === 0 && report.intact) await assertThere(db, collection);
  return report;
}

/** Nothing at all is intact, and mostly the wrong place. */
async function assertThere(db: Place['db'], collection: string): Promise<void> {
  const options = { nameOnly: true, authorizedCollections: true };
  const found = await db.listCollections({ name: ledgerOf(collection) }, options).toArray();
  if (found.length > 0) return;
  throw new RefusalError(`there is no ledger "${ledgerOf(collection)}" in this database: nothing could be verified`);
}

async function verifyFolder(call: Call, folder: string, against: Against): Promise<VerifyReport> {
  const { source, now, close } = await openExportFolder(folder);
  try {
    return await judge(call, source, { ...against, now });
  } finally {
    await close();
  }
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
