/** Which names of members say that their value is a secret. It sees names only, never a value. */

/** Unmistakable anywhere in a name that is written without case, `_`, `-`, `.` and spaces. */
const STEMS =
  /passw(?:or)?d|passphrase|passcode|secret(?!ar(?:y|i))|token(?!i[sz])|authori[sz]ation|cookie|apikey|privatekey|secretkey|accesskey|signingkey|encryptionkey|masterkey|credential|connectionstring|cvv|cardverification|securitycode/;
/** Too short for that: they count as a word of their own (`user_pin`, `userPin`), not inside one (`shipping`). */
const WORDS: ReadonlySet<string> = new Set('pin pwd passwd cvv cvv2 cvc cvc2 otp jwt bearer'.split(' '));
/** Short words that are also used without a mark between: `userpin`, `pincode`. */
const SQUASHED_WORDS = /^(?:user|card|new|old|current)?pin(?:code|number|hash)?$|^(?:cvv|cvc|otp|pwd|pass|jwt)$/;
/** What is said about a secret and is none: `tokenCount`, `passwordChangedAt`, `apiKeyId`, `secretName`. */
const ABOUT =
  /(?:count|counts|total|length|limit|size|type|kind|name|names|version|policy|strength|status|state|expiry|expires|expiresin|expiration|ttl|maxage|changed|enabled|disabled|required|attempts|arn|keyid|tokenid|credentialid|(?:changed|created|updated|expires|expired|issued|rotated|revoked|used|reset|set|verified|deleted)(?:at|on|by))$/;
/** A number in such a place is an amount: `maxTokens: 4096`. */
const PLURAL = /(?:tokens|secrets|passwords|cookies|keys|credentials)(?:used|left|remaining)?$/;

/** Bounds the memory of the names seen; an app has few, a client may send many. */
const MAX_SEEN = 2000;
const MAX_SEEN_LENGTH = 64;
const seen = new Map<string, boolean>();

/**
 * Whether a member of this name holds a secret: password, secret, token, authorization, cookie, api key, private key, pin, cvv and their
 * spellings, compared without case, `_` and `-`. A name that only tells something about one (`tokenCount`, `passwordChangedAt`) does not.
 */
export function isSensitiveKey(key: string): boolean {
  const known = seen.get(key);
  if (known !== undefined) return known;
  const sensitive = judge(key);
  if (key.length <= MAX_SEEN_LENGTH && seen.size < MAX_SEEN) seen.set(key, sensitive);
  return sensitive;
}

/** Whether a number under this name is an amount of secrets and no secret: `tokens`, `totalTokens`. */
export function isAmountKey(key: string): boolean {
  return PLURAL.test(squash(key));
}

/** The name without case and the marks between its words. */
export function squash(key: string): string {
  return key.toLowerCase().replace(/[\s_.-]/g, '');
}

function judge(key: string): boolean {
  const name = squash(key);
  if (ABOUT.test(name)) return false;
  return STEMS.test(name) || SQUASHED_WORDS.test(name) || wordsOf(key).some((word) => WORDS.has(word));
}

function wordsOf(key: string): string[] {
  return key
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u);
}
