/** Reads argv by a command's flags. Pure. No value is ever shown: a URI may stand in the wrong place. */
import { parseArgs } from 'node:util';
import { OptionsError } from '../errors.js';
import { nearestName, unknownName } from '../settings.js';
import { type Command, type Flag, FlagValues } from './command.js';

/** A flag as it was read. */
interface Token {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

/** Every command has it. */
const HELP: Flag = { help: 'show this' };

/**
 * The command that argv begins with.
 * @throws {@link OptionsError} OPTIONS_INVALID naming the nearest command
 */
export function findCommand(word: string, commands: readonly Command[]): Command {
  const command = commands.find(({ name }) => name === word);
  if (command !== undefined) return command;
  const names = commands.map(({ name }) => name);
  const nearest = nearestName(word.slice(0, 64), names);
  throw new OptionsError(
    nearest === undefined
      ? `there is no such command; known: ${names.join(', ')}`
      : `there is no command ${unknownName(word, names).replace(' is unknown', '')}`,
  );
}

/** Whether help is asked for, whatever else stands there. */
export function wantsHelp(argv: readonly string[]): boolean {
  return argv.includes('--help') || argv.includes('-h');
}

/**
 * The flags of a call.
 * @throws {@link OptionsError} OPTIONS_INVALID for an unknown flag (with the nearest), a missing or superfluous value, a flag that is missing or there twice
 */
export function readFlags(argv: readonly string[], command: Command): FlagValues {
  const flags: Readonly<Record<string, Flag>> = { ...command.flags, help: HELP };
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [name, { type: kindOf(flag), multiple: true } as const]),
  );
  // Not strict: its own errors show the value, and know no nearest name.
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const values = new Map<string, readonly string[]>();
  for (const token of tokens) {
    if (token.kind !== 'option') throw new OptionsError('every argument has a flag before it: one has none');
    const value = readValue(token, flags);
    const before = values.get(token.name) ?? [];
    if (before.length > 0 && flags[token.name]?.isRepeatable !== true) {
      throw new OptionsError(`--${token.name} is there twice`);
    }
    values.set(token.name, [...before, value]);
  }
  const missing = Object.entries(flags).find(([name, flag]) => flag.isRequired === true && !values.has(name));
  if (missing !== undefined) throw new OptionsError(`--${missing[0]} ${missing[1].value ?? ''} is missing`);
  return new FlagValues(values);
}

function kindOf(flag: Flag): 'string' | 'boolean' {
  return flag.value === undefined ? 'boolean' : 'string';
}

function readValue(token: Token, flags: Readonly<Record<string, Flag>>): string {
  const { name, value, inlineValue } = token;
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
  if (flag === undefined) throw new OptionsError(`flag ${nameUnknown(name, Object.keys(flags))}`);
  if (flag.value === undefined) {
    if (value !== undefined) throw new OptionsError(`--${name} takes no value`);
    return '';
  }
  const isNextFlag = inlineValue === false && value?.startsWith('-') === true;
  if (value === undefined || value === '' || isNextFlag) throw new OptionsError(`--${name} needs its ${flag.value}`);
  // Errors about files quote their paths.
  if ((flag.value === 'FILE' || flag.value === 'FOLDER') && SECRET_FORM.test(value)) {
    throw new OptionsError(
      `--${name} must be the path of a ${flag.value}: what is there looks like a signing key or a URI with credentials, and is not shown`,
    );
  }
  return value;
}

/** A signing key, or user info behind a scheme; `path.join` makes one slash of two. */
const SECRET_FORM = /PRIVATE\+KEY|:\/.*@/s;

/** What looks like no name at all may be a URI after a dash too many. */
function nameUnknown(name: string, known: readonly string[]): string {
  const dashed = known.map((word) => `--${word}`);
  return /^[\w-]{1,32}$/.test(name)
    ? unknownName(`--${name}`, dashed)
    : `of a name that no command has; known: ${dashed.join(', ')}`;
}
