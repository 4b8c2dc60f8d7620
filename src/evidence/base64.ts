/** Strict base64, as signed notes and proofs need it. Pure. */

/** Bytes of standard base64 with padding; undefined when the text is not exactly what encoding them gives. */
export function decodeBase64(text: string): Buffer | undefined {
  // Node skips what it does not know: two texts for the same bytes would be a way to alter a proof unseen.
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
