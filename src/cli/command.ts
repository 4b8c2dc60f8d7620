/** What a command of the command line is: its flags, its outcome, its exit code. It knows no command. */
import { OptionsError } from '../errors.js';
import type { Output } from './output.js';

/** A flag. */
export interface Flag {
  /** Name of its value in the usage, such as `FILE`; left out: it takes none. */
  readonly value?: string;
  /** It has to be there. */
  readonly isRequired?: boolean;
  /** It may be there several times. */
  readonly isRepeatable?: boolean;
  /** One sentence. */
  readonly help: string;
}

/** 0: intact or done. 1: a violation. 2: it could not be checked or done, or the arguments are wrong. */
export type ExitCode = 0 | 1 | 2;

/** What a command ends with. */
export interface Outcome {
  /** The exit code of the process. */
  readonly code: ExitCode;
  /** What `--json` prints; left out: the command knows no `--json`. */
  readonly result?: object;
  /** What is printed otherwise, with its line feeds. */
  readonly text: string;
}

/** How a command was called. */
export interface Call {
  /** The flags. */
  readonly flags: FlagValues;
  /** Where to say what is not the result. */
  readonly output: Output;
  /** The environment; MONGODB_URI and what a command names more. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The clock, ms since 1970. */
  readonly now: () => number;
}

/** A command. */
export interface Command {
  /** Its word. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** Its flags by name, in the order of the usage, without `help`. */
  readonly flags: Readonly<Record<string, Flag>>;
  /** Does it. MAY reject: what is thrown is told, with exit code 2. */
  run(call: Call): Promise<Outcome>;
}

/** The flags of a call, checked against those that the command has. */
export class FlagValues {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  /** Whether it is there. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Its value; undefined when it is not there. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  /** Its value. @throws {@link OptionsError} OPTIONS_INVALID when it is not there */
  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new OptionsError(`--${name} is missing`);
    return value;
  }

  /** The path that it holds, with its own name. @throws {@link OptionsError} OPTIONS_INVALID when it is not there */
  path(name: string): { flag: string; path: string } {
    return { flag: `--${name}`, path: this.required(name) };
  }

  /** Its values. */
  list(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}

/** `--json`, the same for all. */
export const JSON_FLAG: Flag = { help: 'print one JSON object on stdout, for machines' };

/** `--collection`, the same for all. */
export const COLLECTION_FLAG: Flag = { value: 'NAME', help: "the trail's collection; default audit_events" };

/** `--uri`, the same for all. */
export const URI_FLAG: Flag = {
  value: 'URI',
  help: 'MongoDB with the database of the trail; default: the environment variable MONGODB_URI',
};

/** `--keys`, the same for all. */
export const KEYS_FLAG: Flag = {
  value: 'FILE',
  help: 'the vkeys that you trust, one a line, `until=<size>` after a retired one',
};

/** `--tenant`, the same for all. */
export const TENANT_FLAG: Flag = { help: 'with the index that `audit.tenant` wants' };

/** `--yes`, the same for all. */
export const YES_FLAG: Flag = { help: 'do it without asking' };
