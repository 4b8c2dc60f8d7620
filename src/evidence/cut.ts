/** Text within a length: well-formed, cut between characters, marked where something is missing. It knows no limits of its own. */

/** Stands at the end of a string or key that was cut. */
export const CUT = '[cut]';

const LONE_SURROGATE = /\p{Surrogate}/gu;

/** The text without lone surrogates: each becomes U+FFFD. */
export function wellFormed(text: string): string {
  return text.replace(LONE_SURROGATE, '\ufffd');
}

/** The first `length` UTF-16 units, one fewer where a surrogate pair would be split, as a string that does not keep the whole one alive. */
export function cutText(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  const end = last >= 0xd800 && last <= 0xdbff ? length - 1 : length;
  // V8 makes a slice a view of its parent: a copy lets a huge parent go.
  return text.length < 1024 ? text.slice(0, end) : Buffer.from(text.slice(0, end), 'utf16le').toString('utf16le');
}

/** The text within `length`, with the marker {@link CUT} at its end where something is missing. */
export function cutMarked(text: string, length: number): string {
  return text.length <= length ? text : cutText(text, length - CUT.length) + CUT;
}
