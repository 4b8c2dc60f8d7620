/** What evidence costs, and how fast it is checked: one seal, a hundred writers on one ledger, verification of a database and of a million exported events. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mongoose, { type Connection } from 'mongoose';
import { memoryProvider, type Strongroom, strongroom } from '../../dist/esm/index.js';
import { generateKey } from '../../dist/esm/evidence/keys.js';
import { writeExport } from './export.js';
import { median } from './rounds.js';
import { grouped, type Row } from './table.js';
import { atATime, draft, timed, Trail, type Events } from './trail.js';

/** What EVIDENCE.md wants of verification, on one core. */
const VERIFY_GOAL = 200_000;
const STARTING = 5;
const KEY = generateKey('bench.example/audit');

/** All evidence rows. */
export async function measureEvidence(serverUri: string, quick: boolean): Promise<Row[]> {
  const trail = await Trail.open(serverUri);
  // All rooms share it, and guard it: what cleans up needs one of its own.
  const connection = await mongoose.createConnection(trail.uri).asPromise();
  const place = { trail, connection };
  const rows = [
    ...(await measureSeal(place, quick)),
    ...(await measureDatabase(place, quick)),
    ...(await measureFolder(quick)),
    ...(await measureCrowd(place, quick)),
  ];
  await connection.close();
  await trail.close();
  return rows;
}

interface Place {
  readonly trail: Trail;
  readonly connection: Connection;
}

function openRoom({ connection }: Place, events: Events, sealEvery: '1s' | '1h'): Strongroom {
  return strongroom({
    audit: { connection, collection: events.collectionName, evidence: { sealEvery } },
    secrets: { provider: memoryProvider({ AUDIT_SIGNING_KEY: KEY.signingKey }) },
    environment: 'test',
  });
}

async function measureSeal(place: Place, quick: boolean): Promise<Row[]> {
  const events = place.trail.fresh('seal');
  const room = openRoom(place, events, '1h');
  const took: number[] = [];
  for (let round = 0; round < (quick ? 3 : 30); round += 1) {
    await atATime(1000, 1000, (index) => room.audit.record(draft(index)));
    const started = performance.now();
    await room.audit.seal();
    took.push(performance.now() - started);
  }
  await room.close();
  return [
    { what: 'one seal of 1,000 events: root, signature, journaled entry', value: `${median(took).toFixed(1)} ms` },
  ];
}

/** Real processes and the real clock. */
async function measureCrowd(place: Place, quick: boolean): Promise<Row[]> {
  const count = quick ? 5 : 100;
  const seconds = quick ? 2 : 20;
  const events = place.trail.fresh('crowd');
  const args = [place.trail.uri, events.collectionName, KEY.signingKey];
  const crowd: ChildProcess[] = [];
  // A few at a time: a start takes seconds of processor time.
  while (crowd.length < count) {
    const next = Array.from({ length: Math.min(STARTING, count - crowd.length) }, () => startWorker(args));
    crowd.push(...next);
    await all(next, 'message');
  }
  const ended = all(crowd, 'exit');
  const ledger = place.trail.connection.collection(`${events.collectionName}_ledger`);
  const before = await ledger.countDocuments();
  const recorded = all(crowd, 'message');
  for (const worker of crowd) worker.send(seconds);
  await recorded;
  const perSecond = ((await ledger.countDocuments()) - before) / seconds;
  await ended;
  await expectIntact(place, events, count);
  return [
    {
      what: `${count} processes on one ledger (real clock), verified intact`,
      value: `${perSecond.toFixed(1)} entries/s, each seals every ${(count / perSecond).toFixed(1)} s`,
    },
  ];
}

/** It must not end before it has done its part. */
function startWorker(args: readonly string[]): ChildProcess {
  const worker = fork(new URL('./crowd-worker.ts', import.meta.url), args);
  return worker.once('exit', (code) => {
    if (code !== 0) throw new Error(`a process of the crowd ended with ${String(code)}`);
  });
}

async function all(crowd: readonly ChildProcess[], event: 'message' | 'exit'): Promise<void> {
  await Promise.all(crowd.map((worker) => once(worker, event)));
}

async function expectIntact(place: Place, events: Events, closed: number): Promise<void> {
  const reader = openRoom(place, events, '1h');
  const report = await reader.audit.verify({ keys: [KEY.vkey] });
  await reader.close();
  if (!report.intact) throw new Error(`the crowd's trail is not intact: ${JSON.stringify(report.violations[0])}`);
  const ledger = place.trail.connection.collection(`${events.collectionName}_ledger`);
  const ends = await ledger.countDocuments({ kind: 'close' });
  if (ends !== closed) throw new Error(`${ends} of ${closed} processes closed their stream`);
}

async function measureDatabase(place: Place, quick: boolean): Promise<Row[]> {
  const count = quick ? 5000 : 100_000;
  const events = place.trail.fresh('verified');
  const room = openRoom(place, events, '1s');
  await atATime(4000, count, (index) => room.audit.record(draft(index)));
  await room.audit.seal();
  const speed = await timed(count, async () => {
    const report = await room.audit.verify({ keys: [KEY.vkey] });
    if (!report.intact || report.events !== count) throw new Error('the trail does not verify');
  });
  await room.close();
  return [{ what: 'verify, from the database', value: `${grouped(speed)} events/s` }];
}

/** What the process that verifies an exported folder tells. */
export interface FolderRun {
  readonly perSecond: number;
  /** Resident memory after a tenth of the events, and the most after that. */
  readonly earlyBytes: number;
  readonly peakBytes: number;
}

async function measureFolder(quick: boolean): Promise<Row[]> {
  const count = quick ? 20_000 : 1_000_000;
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-bench-'));
  try {
    await writeExport(folder, { count, key: KEY });
    const child = fork(new URL('./verify-folder.ts', import.meta.url), [folder, KEY.vkey, String(count)]);
    const [[run]] = (await Promise.all([once(child, 'message'), once(child, 'exit')])) as [[FolderRun], unknown];
    const grown = (run.peakBytes - run.earlyBytes) / 1024 / 1024;
    return [
      {
        what: `verify, from an export of ${grouped(count)} events, one core; times 200,000/s`,
        value: `${grouped(run.perSecond)} events/s`,
        ratio: run.perSecond / VERIFY_GOAL,
        goal: { sign: '>=', ratio: 1 },
      },
      {
        what: '  resident memory, from a tenth of the way to its peak',
        value: `${(run.earlyBytes / 1024 / 1024).toFixed(0)} MiB, then ${grown.toFixed(0)} MiB more`,
      },
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}
