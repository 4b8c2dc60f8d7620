/** The notes in what an anchor kept: a note, several of them in a file, or lines of a log. Pure. */
import { readNote } from './note.js';

/**
 * Every signed note in a text, in order: one note; notes one after the other with empty lines between them, as `fileAnchor` writes; JSON lines with a
 * member `note`, as `stdoutAnchor` writes, among other lines of a log. What is none, such as a note that a crash tore off, is passed over.
 */
export function readAnchorNotes(text: string): string[] {
  const notes: string[] = [];
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('{')) notes.push(...readJsonLine(line));
    // The first signature of a note: three lines of checkpoint and an empty one stand before it.
    else if (line.startsWith('— ') && lines[index - 1] === '') notes.push(...readBlock(lines, index));
  }
  return notes;
}

function readBlock(lines: readonly string[], signature: number): string[] {
  let end = signature;
  while (lines[end]?.startsWith('— ') === true) end += 1;
  const note = `${lines.slice(Math.max(0, signature - 4), end).join('\n')}\n`;
  return readNote(note) === undefined ? [] : [note];
}

function readJsonLine(line: string): string[] {
  try {
    const { note } = JSON.parse(line) as { note?: unknown };
    return typeof note === 'string' && readNote(note) !== undefined ? [note] : [];
  } catch {
    return [];
  }
}
