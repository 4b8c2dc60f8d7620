/** The ledger as a command appends to it: with the signing key of the environment, in the name of a stream of its own. It knows no command. */
import { Ledger } from '../audit/ledger.js';
import type { LedgerStore } from '../audit/ledger-store.js';
import { createStream } from '../audit/stream.js';
import { OptionsError } from '../errors.js';
import { readSigningKey, readVerifierKey, type VerifierKey } from '../evidence/keys.js';
import { judgeNote, readNote } from '../evidence/note.js';
import { createLedgerStore } from '../mongo/ledger-store.js';
import type { Call } from './command.js';
import type { Place } from './database.js';
import { RefusalError } from './failure.js';
import { printable } from './output.js';

/** Name of the environment variable with the key. */
export const SIGNING_KEY = 'AUDIT_SIGNING_KEY';

/** What a command that appends works with. */
export interface Appending {
  readonly ledger: Ledger;
  readonly store: LedgerStore;
  /** The stream in whose name it is done; it records no event. */
  readonly by: string;
}

/**
 * Opens the ledger, whose newest note must be signed by the very key: whoever appends vouches for all that stands before.
 * @throws {@link OptionsError} OPTIONS_INVALID without a key; RefusalError when the key is of another log, or another key signed the newest note; LEDGER_ALARM when the head is not in order
 */
export async function openLedger({ environment, now }: Call, place: Place): Promise<Appending> {
  const text = environment[SIGNING_KEY];
  if (text === undefined || text === '')
    throw new OptionsError(`${SIGNING_KEY} is not set: it is to hold the signing key`);
  const signer = readSigningKey(text, SIGNING_KEY);
  const key = readVerifierKey(signer.vkey, SIGNING_KEY);
  const store = createLedgerStore(place);
  await assertSameLog(store, key);
  const parts = { store, signer, keys: [key], origin: key.name, now, onEntry: () => undefined };
  const ledger = new Ledger(parts);
  await ledger.follow();
  assertSignedBy(key, ledger.note);
  return { ledger, store, by: createStream().id };
}

/** Told by the first entry: what stands at the end may be junk, which is an alarm and no wrong key. */
async function assertSameLog(store: LedgerStore, { name }: VerifierKey): Promise<void> {
  const [first] = await store.read(0, 1);
  const origin = typeof first?.note === 'string' ? readNote(first.note)?.checkpoint.origin : undefined;
  if (origin === undefined || origin === name) return;
  throw new RefusalError(
    `the key in ${SIGNING_KEY} is of the log "${printable(name)}", the ledger of "${printable(origin)}": nothing was done`,
  );
}

function assertSignedBy(key: VerifierKey, text: string | null): void {
  if (text === null) return;
  const note = readNote(text);
  if (note !== undefined && judgeNote(note, [key]) === 'trusted') return;
  throw new RefusalError(
    `the newest entry of the ledger was not signed by the key in ${SIGNING_KEY}: nothing was done`,
  );
}
