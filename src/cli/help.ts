/** The texts of `--help`. Pure; it knows what flags are and not what they do. */
import type { Command, Flag } from './command.js';

/** One line: the command and its flags, optional ones in brackets. */
function usageOf(command: Command): string {
  const flags = Object.entries(command.flags).map(([name, flag]) => showFlag(name, flag));
  return ['strongroom', command.name, ...flags].join(' ');
}

/** Help of one command. */
export function helpOf(command: Command): string {
  const rows = Object.entries(command.flags).map(([name, flag]) => [nameAndValue(name, flag), flag.help] as const);
  return [`Usage: ${usageOf(command)}`, '', capital(command.summary), '', ...inColumns(rows), ''].join('\n');
}

/** Help of them all. */
export function overview(commands: readonly Command[]): string {
  const rows = commands.map(({ name, summary }) => [name, summary] as const);
  return [
    'Usage: strongroom COMMAND [flags]',
    '',
    ...inColumns(rows),
    '',
    'strongroom COMMAND --help shows the flags of a command, strongroom --version the version.',
    'Exit codes: 0 intact or done; 1 a violation, or unenforced; 2 could not be checked or done, or wrong arguments.',
    '',
  ].join('\n');
}

/** The same as {@link helpOf}, for machines. */
export function describeHelp({ name, summary, flags }: Command): object {
  const shown = Object.entries(flags).map(
    ([flag, { value = null, isRequired = false, isRepeatable = false, help }]) => ({
      name: `--${flag}`,
      value,
      isRequired,
      isRepeatable,
      help,
    }),
  );
  return { command: name, summary, flags: shown };
}

/** The same as {@link overview}, for machines. */
export function describeOverview(commands: readonly Command[]): object {
  return { commands: commands.map(({ name, summary }) => ({ command: name, summary })) };
}

function showFlag(name: string, flag: Flag): string {
  const text = nameAndValue(name, flag);
  if (flag.isRequired === true) return text;
  return flag.isRepeatable === true ? `[${text}]...` : `[${text}]`;
}

function nameAndValue(name: string, { value }: Flag): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

function inColumns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
