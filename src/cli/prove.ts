/** `strongroom prove`: the proof of one event, for whoever has its line and the vkey. */
import { proveEvent } from '../audit/proving.js';
import { createLedgerStore } from '../mongo/ledger-store.js';
import { type Command, COLLECTION_FLAG, URI_FLAG } from './command.js';
import { withDatabase } from './database.js';

/** Proves one event. */
export const prove: Command = {
  name: 'prove',
  summary: 'prints the .tlog-proof of one event',
  flags: {
    uri: URI_FLAG,
    collection: COLLECTION_FLAG,
    id: { value: 'ID', isRequired: true, help: "the event's _id" },
  },
  run: (call) =>
    withDatabase(call, async (place) => {
      const text = await proveEvent(createLedgerStore(place), call.flags.required('id'));
      return { code: 0, text };
    }),
};
