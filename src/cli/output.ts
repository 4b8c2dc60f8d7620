/** What a command says and where: results on stdout, the rest on stderr. The only file of the package that writes to them for a person; it knows no command. */

/** The two streams of a command. */
export interface Output {
  /** Writes to stdout, as it is. */
  write(text: string): void;
  /** Writes a line to stderr. */
  say(line: string): void;
  /** Whether stderr is a terminal, where a bar may be drawn. */
  readonly isTerminal: boolean;
  /** Whether a person can be asked: stdin and stderr are a terminal. */
  readonly canAsk: boolean;
}

/** The streams of this process. A reader that went away ends the output and not the work, so that the exit code stays true. */
export function createOutput(): Output {
  return {
    write: createWriter(process.stdout),
    say: lines(createWriter(process.stderr)),
    isTerminal: Boolean(process.stderr.isTTY),
    canAsk: Boolean(process.stdin.isTTY) && Boolean(process.stderr.isTTY),
  };
}

function createWriter(stream: NodeJS.WriteStream): (text: string) => void {
  let isGone = false;
  // EPIPE comes here, and only here, for pipes and files alike: without a listener it would end the process with a stack.
  stream.on('error', () => {
    isGone = true;
  });
  return (text) => {
    if (!isGone) stream.write(text);
  };
}

function lines(write: (text: string) => void): (line: string) => void {
  return (line) => write(`${line}\n`);
}

/** Control characters, line separators, and those that turn or hide writing. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Text from a database or a file, made safe for a terminal: what could move the cursor or turn the writing is shown by its number. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** A number as people read it: `1,234,567`. */
export function inGroups(count: number): string {
  return count.toLocaleString('en-US');
}

/** `1 event`, `2 events`, `2 entries`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${inGroups(count)} ${count === 1 ? one : many}`;
}
