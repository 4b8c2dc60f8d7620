/** Reads a page of documentation: its code blocks, tables, headings and links. It knows nothing of what they say. */
import { readFileSync } from 'node:fs';

/** A fenced block. */
export interface Block {
  /** Where it begins, for messages and file names. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
  /** What follows `run` in the comment before it: '' for `<!-- run -->`; undefined without such a comment. */
  readonly run: string | undefined;
  /** The `text` block right after it: what it prints. */
  readonly output: string | undefined;
}

/** A table, under the nearest heading above it. */
interface Table {
  readonly heading: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A page. */
export interface Page {
  readonly file: string;
  /** All of it. */
  readonly text: string;
  readonly blocks: readonly Block[];
  readonly tables: readonly Table[];
  readonly headings: readonly string[];
  /** Targets of links, as written. */
  readonly links: readonly string[];
}

const FENCE = /^(?:<!-- run(?:: ?([\w-]+))? -->\n)?```(\w*)\n([\s\S]*?)^```$(?:\n+```text\n([\s\S]*?)^```$)?/gm;

/** Reads a page of this repository. */
export function readPage(file: string): Page {
  const text = readFileSync(file, 'utf8');
  const prose = text.replace(/^```[\s\S]*?^```$/gm, (block) => block.replace(/[^\n]+/g, ''));
  return {
    file,
    text,
    blocks: [...text.matchAll(FENCE)].map((match) => toBlock(match, text)),
    tables: readTables(prose),
    headings: [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading),
    links: [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target),
  };
}

/** The rows of the only table under a heading whose first column has this name. */
export function rowsOf(page: Page, heading: string, column: string): readonly (readonly string[])[] {
  const found = page.tables.filter((table) => table.heading === heading && table.header[0] === column);
  if (found.length !== 1) throw new Error(`${found.length} tables of "${column}" under "${heading}" in ${page.file}`);
  return found[0]?.rows ?? [];
}

/** The words of a cell that stand in code marks. */
export function codeWords(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);
}

/** The anchor that GitHub gives a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}

function toBlock(match: RegExpExecArray, text: string): Block {
  const [whole, name, language = '', code = '', output] = match;
  const isMarked = whole.startsWith('<!--');
  return {
    line: text.slice(0, match.index).split('\n').length,
    language,
    code,
    run: isMarked ? (name ?? '') : undefined,
    output,
  };
}

function readTables(prose: string): Table[] {
  const tables: Table[] = [];
  let heading = '';
  let rows: string[][] = [];
  for (const line of [...prose.split('\n'), '']) {
    if (line.startsWith('#')) heading = line.replace(/^#+ /, '');
    if (line.startsWith('|')) {
      rows.push(cellsOf(line));
      continue;
    }
    const [header, , ...body] = rows;
    if (header !== undefined) tables.push({ heading, header, rows: body });
    rows = [];
  }
  return tables;
}

function cellsOf(line: string): string[] {
  return line
    .replaceAll('\\|', '\0')
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.replaceAll('\0', '|').trim());
}
