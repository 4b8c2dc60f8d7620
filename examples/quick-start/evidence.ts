/** The trail proves itself: what was recorded verifies, and an edit behind the app's back is named. */
import { execFileSync } from 'node:child_process';
import type { Connection } from 'mongoose';
import { type AuditEvent, fileAnchor, type Strongroom } from '../../src/index.js';

/** Both halves of a key, as `strongroom keygen --json` prints them. */
export interface Keys {
  /** Belongs into a secret store. */
  signingKey: string;
  /** Belongs to whoever verifies. */
  vkey: string;
}

/** Makes a key as an operator would, once: with the command line. */
export function makeKeys(): Keys {
  const cli = ['--import', 'tsx', 'src/cli/main.ts', 'keygen', '--name', 'quick-start.example/audit', '--json'];
  const printed = execFileSync(process.execPath, cli, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return JSON.parse(printed) as Keys;
}

/** What proving takes. */
export interface EvidenceParts {
  room: Strongroom;
  vkey: string;
  /** A connection with full rights that nothing guards. */
  admin: Connection;
  /** File that keeps checkpoints. */
  anchorPath: string;
}

/** Verifies, edits an event as an administrator, verifies again, and mends it. Gives what was not as it should be. */
export async function proveTrail(
  { room, vkey, admin, anchorPath }: EvidenceParts,
  event: AuditEvent,
): Promise<string[]> {
  console.log('\nProving it:');
  await room.audit.seal();
  const checkpoint = await fileAnchor(anchorPath).latest?.();
  console.log(`  sealed; the newest checkpoint, kept in ${anchorPath}:\n`);
  console.log((checkpoint ?? '').trimEnd().replace(/^/gm, '    '));
  const proof = await room.audit.prove(event._id);
  console.log(`\n  proof of the first event: ${proof.length} characters that anyone with the vkey can check offline`);
  const before = await verify(room, vkey);
  const events = admin.collection<{ _id: string; status: string }>(room.audit.model.collection.name);
  await events.updateOne({ _id: event._id }, { $set: { status: 'failure' } });
  console.log(`  an administrator edits ${event._id} past the app, with full rights`);
  const after = await verify(room, vkey);
  await events.updateOne({ _id: event._id }, { $set: { status: event.status } });
  const mended = await verify(room, vkey);
  const isNamed = after.some(({ kind, where }) => kind === 'event-edited' && where === event._id);
  return [
    ...(before.length > 0 || mended.length > 0 ? ['an honest trail was accused'] : []),
    ...(isNamed && after.length === 1 ? [] : ['verify did not name the edited event, and it alone']),
  ];
}

async function verify(room: Strongroom, vkey: string): Promise<readonly { kind: string; where: string }[]> {
  const { intact, events, entries, violations } = await room.audit.verify({ keys: [vkey] });
  console.log(`  verify: ${intact ? 'intact' : 'NOT INTACT'}, ${events} events, ${entries} entries of the ledger`);
  for (const { kind, where, detail } of violations) console.log(`    ${kind} at ${where}: ${detail}`);
  return violations;
}
