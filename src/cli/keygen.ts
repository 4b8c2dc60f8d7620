/** `strongroom keygen`: makes a key and stores nothing. */
import { generateKey } from '../evidence/keys.js';
import { type Call, type Command, JSON_FLAG, type Outcome } from './command.js';

/** Makes a signing key. */
export const keygen: Command = {
  name: 'keygen',
  summary: 'makes a signing key and its vkey; stores nothing',
  flags: {
    name: { value: 'ORIGIN', isRequired: true, help: 'name of the log, such as audit.example.com/prod' },
    json: JSON_FLAG,
  },
  run: (call) => Promise.resolve(makeKey(call)),
};

function makeKey({ flags, output }: Call): Outcome {
  const pair = generateKey(flags.required('name'));
  output.say(
    'The signing key belongs into your secret store, as AUDIT_SIGNING_KEY, and nowhere else: whoever has it can sign a false trail. It is shown this once. The vkey is public: give it to those who verify.',
  );
  return { code: 0, result: pair, text: `signingKey ${pair.signingKey}\nvkey ${pair.vkey}\n` };
}
