/** Makes a text safe to store, print and look at: one line, no control or invisible characters, within a length. It knows nothing of secrets. */
import { cutText } from '../evidence/cut.js';

const UNSAFE = /[\p{Cc}\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\p{Surrogate}]/u;
const EACH_UNSAFE = new RegExp(UNSAFE, 'gu');
const WHITE_SPACE = /[\t-\r\x85\u2028\u2029]/;

/**
 * The text as it may be stored, at most `maxLength` UTF-16 units, without splitting a surrogate pair. Tabs and line breaks (also NEL,
 * U+2028, U+2029) become a space each: they only part words. Other control characters, bidi marks and overrides, zero-width characters,
 * the byte order mark, the soft hyphen and lone surrogates become U+FFFD each: a reader should see that something stood there, since it can reverse a line
 * or make two names look alike. That costs joined emoji and some scripts their joiners.
 */
export function cleanText(text: string, maxLength: number): string {
  const cut = cutText(text, maxLength);
  return UNSAFE.test(cut) ? cut.replace(EACH_UNSAFE, visible) : cut;
}

function visible(character: string): string {
  return WHITE_SPACE.test(character) ? ' ' : '\ufffd';
}
