/** `npx tsx examples/rotation/index.ts`: replaces a key while tokens signed with the old one are in use, and replaces one at once when it leaked. */
import { createHmac } from 'node:crypto';
// In your own app: from 'express-strongroom'.
import { createSecretManager, memoryProvider, type SecretManager, type SecretProvider } from '../../src/index.js';

const sign = (text: string, key: string): string => createHmac('sha256', key).update(text).digest('base64url');

/** A token is good under the key of today or, where there is one, the key of yesterday. */
async function isGood(secrets: SecretManager, token: { text: string; mac: string }): Promise<boolean> {
  const keys = [await secrets.get('KEY'), await secrets.get('KEY_PREVIOUS', { default: '' })].filter(Boolean);
  return keys.some((key) => sign(token.text, key) === token.mac);
}

/** Old and new key side by side, until nothing signed with the old one is left. */
async function rollingMigration(): Promise<void> {
  const secrets = createSecretManager({
    provider: memoryProvider({ KEY: 'the first key' }),
    environment: 'development',
  });
  const old = { text: 'session 1', mac: sign('session 1', await secrets.get('KEY')) };

  // 1. The old key first under its second name, then the new one: no reader ever sees neither.
  await secrets.set('KEY_PREVIOUS', await secrets.get('KEY'));
  await secrets.set('KEY', 'the second key');
  check('a token of the old key is still good', await isGood(secrets, old));
  const fresh = { text: 'session 2', mac: sign('session 2', await secrets.get('KEY')) };
  check('a token of the new key is good', await isGood(secrets, fresh));

  // 2. When the longest session has ended, the old key goes.
  await secrets.set('KEY_PREVIOUS', '');
  check('a token of the old key is good no more', !(await isGood(secrets, old)));
  await secrets.close();
}

/** A value that beats the store until the store is mended: the first provider of a chain. */
async function emergencyOverride(): Promise<void> {
  const store = slowStore({ API_KEY: 'the leaked key' });
  const override = memoryProvider();
  // memoryProvider is for development; in production a mounted file (fileProvider) in front of the store does the same.
  const secrets = createSecretManager({ provider: [override, store], ttl: '1h', environment: 'development' });
  await secrets.get('API_KEY');
  await secrets.set('API_KEY', 'the emergency key');
  check('the override counts at once, whatever is cached', (await secrets.get('API_KEY')) === 'the emergency key');
  await secrets.close();
}

/** Somebody rotated the key in the store itself: drop what is cached, and the next read has it. */
async function rotatedElsewhere(): Promise<void> {
  const values: Record<string, string> = { DB_PASSWORD: 'old' };
  const secrets = createSecretManager({ provider: slowStore(values), ttl: '1h', environment: 'development' });
  await secrets.get('DB_PASSWORD');
  values['DB_PASSWORD'] = 'new';
  check('within the ttl the cached value is given', (await secrets.get('DB_PASSWORD')) === 'old');
  secrets.invalidate('DB_PASSWORD');
  check('after invalidate the next read has the new one', (await secrets.get('DB_PASSWORD')) === 'new');
  await secrets.close();
}

/** A provider of one's own: a name, and `get`; `undefined` means "not there", a throw means "could not tell". */
function slowStore(values: Record<string, string>): SecretProvider {
  return {
    name: 'slow-store',
    async get(name) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return values[name];
    },
  };
}

function check(claim: string, holds: boolean): void {
  console.log(`${holds ? 'yes' : 'NO '}  ${claim}`);
  if (!holds) process.exitCode = 1;
}

await rollingMigration();
await emergencyOverride();
await rotatedElsewhere();
