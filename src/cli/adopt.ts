/** `strongroom adopt`: takes streams over that were written with evidence off. What that means for verification is a warning. */
import { adoptHistory, type Adopted, findUnknown } from '../audit/adoption.js';
import { type Call, type Command, COLLECTION_FLAG, JSON_FLAG, type Outcome, URI_FLAG, YES_FLAG } from './command.js';
import { assertConsent } from './consent.js';
import { type Place, withDatabase } from './database.js';
import { counted } from './output.js';
import { openLedger, SIGNING_KEY } from './signing.js';

/** A stream that wrote within this time may still be at it. */
const DEAD_AFTER_MS = 300_000;

/** Adopts history. */
export const adopt: Command = {
  name: 'adopt',
  summary: `takes over streams that were written with evidence off, as they are found; signs with ${SIGNING_KEY}`,
  flags: { uri: URI_FLAG, collection: COLLECTION_FLAG, yes: YES_FLAG, json: JSON_FLAG },
  run: (call) => withDatabase(call, (place) => run(call, place)),
};

async function run(call: Call, place: Place): Promise<Outcome> {
  const { ledger, store, by } = await openLedger(call, place);
  const parts = { ledger, store, by, before: call.now() - DEAD_AFTER_MS };
  const unknown = await findUnknown(parts);
  if (unknown.length === 0) return report([], 'nothing to adopt: the ledger knows every stream\n');
  const what = `${counted(unknown.length, 'stream')} that the ledger does not know would be taken over as they are now, whoever wrote them: ${unknown.slice(0, 10).join(', ')}${unknown.length > 10 ? ', ...' : ''}`;
  await assertConsent(call, what);
  const adopted = await adoptHistory(parts);
  return report(
    adopted,
    adopted.map(({ stream, count }) => `${stream}: ${counted(count, 'event')} adopted\n`).join(''),
  );
}

function report(streams: readonly Adopted[], text: string): Outcome {
  return { code: 0, result: { streams }, text };
}
