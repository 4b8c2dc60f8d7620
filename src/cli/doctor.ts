/** `strongroom doctor`: how well the trail is protected, how it and its ledger stand. It changes nothing; what is looked at is the library's. */
import { type SpoolSurvey, surveySpool } from '../audit/spool-survey.js';
import { OptionsError, StrongroomError } from '../errors.js';
import { type CollectionReport, inspectTrail, type RiskyUser, type TrailInspection } from '../mongo/doctor.js';
import { type LedgerState, readLedgerState } from '../mongo/ledger-state.js';
import { codeOf, SERVER_CODES } from '../mongo/server-error.js';
import {
  type Call,
  type Command,
  COLLECTION_FLAG,
  type ExitCode,
  JSON_FLAG,
  type Outcome,
  TENANT_FLAG,
  URI_FLAG,
} from './command.js';
import { collectionOf, type Db, type Place, withDatabase } from './database.js';
import { readFailure } from './failure.js';
import { counted, printable } from './output.js';

/** Looks a trail over. */
export const doctor: Command = {
  name: 'doctor',
  summary: 'says whether the server protects the trail, and how trail and ledger stand',
  flags: {
    uri: {
      ...URI_FLAG,
      help: 'MongoDB, as the app to judge its user, as an administrator to judge all; default: MONGODB_URI',
    },
    collection: COLLECTION_FLAG,
    tenant: TENANT_FLAG,
    spool: { value: 'DIRECTORY', help: "the app's audit.spool.directory: what waits there, what is in quarantine" },
    json: JSON_FLAG,
  },
  async run(call) {
    const spool = await lookAtSpool(call.flags.text('spool'), collectionOf(call));
    try {
      return await withDatabase(call, (place) => examine(call, place, spool));
    } catch (error) {
      if (spool === null || error instanceof StrongroomError) throw error;
      return describeSpoolAlone(call, spool, error);
    }
  },
};

/** All that is found; the ledger's state is null where this connection may not read it. */
interface Findings extends TrailInspection {
  readonly ledgerState: LedgerState | null;
  /** Null: not asked for. */
  readonly spool: SpoolSurvey | null;
}

async function examine({ flags, now }: Call, { db, collection }: Place, spool: SpoolSurvey | null): Promise<Outcome> {
  const inspection = await inspectTrail(db, { collection, tenant: flags.has('tenant') });
  const ledgerState = await lookAtLedger(db, collection);
  const findings = { ...inspection, ledgerState, spool };
  const lines = describe(findings, new Date(now()));
  return { code: judge(findings), result: findings, text: `${lines.map(printable).join('\n')}\n` };
}

/** Events wait in a spool when MongoDB cannot be reached: then of all times they are looked at. */
function describeSpoolAlone({ output }: Call, spool: SpoolSurvey, error: unknown): Outcome {
  const failure = readFailure(error);
  output.say(`strongroom: ${failure.message}`);
  const lines = describeSpool(spool);
  return { code: 2, result: { error: failure, spool }, text: `${lines.map(printable).join('\n')}\n` };
}

/** @throws {@link OptionsError} OPTIONS_INVALID when the directory cannot be read */
async function lookAtSpool(directory: string | undefined, collection: string): Promise<SpoolSurvey | null> {
  if (directory === undefined) return null;
  try {
    return await surveySpool(directory, collection);
  } catch (error) {
    const { code } = error as { code?: unknown };
    throw new OptionsError(`--spool: the directory cannot be read (${String(code)})`);
  }
}

async function lookAtLedger(db: Db, collection: string): Promise<LedgerState | null> {
  try {
    return await readLedgerState(db, collection);
  } catch (error) {
    if (codeOf(error) === SERVER_CODES.unauthorized) return null;
    throw error;
  }
}

/** A trail that gives way by itself, and a ledger that cannot go on, are no better than one that anybody may change. */
function judge({ enforcement, trail, ledger, ledgerState }: Findings): ExitCode {
  const flaws = [...trail.flaws, ...ledger.flaws, ...(ledgerState?.junk ?? [])];
  if (enforcement === 'unenforced' || flaws.length > 0) return 1;
  return enforcement === 'enforced' ? 0 : 2;
}

function describe(findings: Findings, now: Date): string[] {
  const { trail, ledger, ledgerState, users } = findings;
  return [
    ...describeCollection('trail', trail),
    ...describeCollection('ledger', ledger),
    ...(ledgerState === null ? ['this connection may not read the ledger'] : describeLedger(ledgerState, now)),
    ...describeSpool(findings.spool),
    ...describeUsers(users),
    `enforcement: ${findings.enforcement}`,
    ...findings.reasons.map((reason) => `  ${reason}`),
  ];
}

function describeCollection(what: string, { name, exists, validator, indexes, flaws }: CollectionReport): string[] {
  if (exists === false) return [`${what} ${name}: missing`];
  return [`${what} ${name}: validator ${validator}, indexes ${indexes}`, ...flaws.map((flaw) => `  ${flaw}`)];
}

function describeLedger(state: LedgerState, now: Date): string[] {
  const { size, newestAt, junk, openStreams, openStreamCount, unknownStream } = state;
  const age = newestAt === null ? '' : `, the newest ${ago(newestAt, now)}`;
  const lagging = openStreams.filter(({ unsealed }) => unsealed > 0);
  return [
    `ledger: ${counted(size, 'entry', 'entries')}${age}; ${counted(openStreamCount, 'stream')} open`,
    ...junk.map(
      (place) => `  ${place} is no entry: sealing stands still until an administrator looks at it and removes it`,
    ),
    ...lagging.map(
      (stream) =>
        `  ${stream.stream}: ${counted(stream.unsealed, 'event')} not sealed yet, last seal ${ago(stream.sealedAt, now)}`,
    ),
    ...(unknownStream === null
      ? []
      : [`  ${unknownStream}, the newest stream of the trail, is not in the ledger: is evidence off?`]),
  ];
}

function describeSpool(spool: SpoolSurvey | null): string[] {
  if (spool === null) return [];
  const { logs, quarantine } = spool;
  const bytes = logs.reduce((sum, log) => sum + log.bytes, 0);
  const ownerless = logs.filter((log) => !log.isOwned).length;
  const left = ownerless === 0 ? '' : `, ${ownerless} of them of dead processes: one that lives takes them over`;
  return [
    `spool: ${bytes} bytes in ${counted(logs.length, 'log')}${left}`,
    `quarantine: ${counted(quarantine.length, 'event')} that MongoDB can never store`,
    ...quarantine.map(
      ({ id, at, reason }) => `  ${id}, ${at ?? 'at an unknown time'}: ${reason ?? 'the file is damaged'}`,
    ),
  ];
}

function describeUsers({ scope, risky }: TrailInspection['users']): string[] {
  if (scope === 'none')
    return ['users: this connection may not look at them; an administrator sees who else can change the trail'];
  const where = scope === 'server' ? 'of this server' : "of the trail's database";
  if (risky.length === 0) return [`users ${where}: none can change the trail`];
  return [`users ${where} who can change the trail:`, ...risky.map(describeUser)];
}

function describeUser({ user, db, reasons }: RiskyUser): string {
  return `  ${user} (of ${db}): ${reasons.join('; ')}`;
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const;

function ago(at: string, now: Date): string {
  const ms = Math.max(0, now.getTime() - Date.parse(at));
  const [unit, size] = UNITS.find(([, length]) => ms >= length) ?? ['second', 1000];
  return `${counted(Math.floor(ms / size), unit)} ago`;
}
