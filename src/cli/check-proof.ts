/** `strongroom check-proof`: whether a proof proves an event, without a database. */
import { eventId } from '../evidence/entry.js';
import { readVerifierKeys } from '../evidence/keys.js';
import { checkProof, type EventProof, type ProvenEvent, readProof } from '../evidence/proof.js';
import { type Call, type Command, JSON_FLAG, KEYS_FLAG, type Outcome } from './command.js';
import { readText } from './files.js';
import { printable } from './output.js';

/** Checks a `.tlog-proof`. */
export const checkProofCommand: Command = {
  name: 'check-proof',
  summary: 'checks the proof of one event, without a database',
  flags: {
    proof: { value: 'FILE', isRequired: true, help: 'a .tlog-proof, as `prove` prints it' },
    event: { value: 'FILE', isRequired: true, help: "the event's line as in events.ndjson" },
    keys: { ...KEYS_FLAG, isRequired: true },
    json: JSON_FLAG,
  },
  run,
};

async function run({ flags }: Call): Promise<Outcome> {
  const keys = readVerifierKeys([await readText(flags.path('keys'))], '--keys');
  const proof = readProof(await readText(flags.path('proof')));
  const line = (await readText(flags.path('event'))).replace(/\n$/, '');
  return report(proof, checkProof(proof, line, keys));
}

function report(proof: EventProof, { proven, detail, entry }: ProvenEvent): Outcome {
  const id = eventId(entry.stream, entry.from + proof.index);
  const result = { proven, detail, id, sealedAt: entry.at, entry: entry.n };
  const text = proven
    ? `proven: ${id} was sealed at ${entry.at}, as entry ${entry.n} of the ledger\n`
    : `not proven: ${printable(detail)}\n`;
  return { code: proven ? 0 : 1, result, text };
}
