/** What the README's examples call their own signatures. It knows no secret by name. */
import { createHmac } from 'node:crypto';

/** Signs a text. */
export function signWith(text: string, key: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

/** Whether a text was signed with the key. */
export function isSignedWith(text: string, signature: string, key: string): boolean {
  return signWith(text, key) === signature;
}
