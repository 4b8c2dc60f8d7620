/** Trails as real rooms leave them. It knows no command. */
import { type EvidenceOptions, memoryProvider, strongroom, type Strongroom } from '../../src/index.js';
import { generateKey, type KeyPair } from '../../src/evidence/keys.js';

/** One key for all trails of a test run. */
export const KEY: KeyPair = generateKey('audit.test/rooms');

/** A room on a trail; its anchor is silent. */
export function openRoom(uri: string, evidence: EvidenceOptions | false = {}): Strongroom {
  return strongroom({
    environment: 'test',
    secrets: { provider: memoryProvider({ AUDIT_SIGNING_KEY: KEY.signingKey }) },
    audit: { uri, evidence: evidence && { anchors: [], ...evidence } },
  });
}

/** Records as many events, the first at `at` and one a second after it. Gives their `_id`s; they are durable. */
export async function record(room: Strongroom, count: number, at: Date): Promise<string[]> {
  const drafts = Array.from({ length: count }, (_, index) => ({
    action: 'user.update',
    target: 'user',
    targetId: `ü${index}`,
    at: new Date(at.getTime() + index * 1000),
    meta: { index, text: 'a "quoted" wörd' },
  }));
  const events = await Promise.all(drafts.map((draft) => room.audit.record(draft)));
  return events.map(({ _id }) => _id);
}

/** Leaves a closed trail: `batches` seals of `count` events each. Gives the `_id`s. */
export async function writeTrail(uri: string, batches: readonly Date[], count = 3): Promise<string[]> {
  const room = openRoom(uri);
  const ids: string[] = [];
  for (const at of batches) {
    ids.push(...(await record(room, count, at)));
    await room.audit.seal();
  }
  await room.close();
  return ids;
}
