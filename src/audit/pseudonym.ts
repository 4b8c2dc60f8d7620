/** Stable stand-ins for what must not be stored, such as an address typed into a login form. */
import { createHmac } from 'node:crypto';

/** 132 of the 256 bits: enough that no two are the same by chance. */
const PSEUDONYM_LENGTH = 22;

/** `h:` and 22 characters of HMAC-SHA256 in base64url: the same text gives the same pseudonym, and only the key's holder can check a guess. */
export function pseudonym(value: string, key: string): string {
  return `h:${createHmac('sha256', key).update(value, 'utf8').digest('base64url').slice(0, PSEUDONYM_LENGTH)}`;
}
