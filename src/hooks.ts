/** Events (facts, told after the act) and filters (asked before it), typed by one map each. It knows what they carry, not who raises them. */
import { OptionsError } from './errors.js';
import type { AuditDraft, AuditEvent, Json } from './event.js';
import { unknownName } from './settings.js';

/** Facts, told after the act. Never a secret's value. A listener that throws or rejects is counted, told as `hook:failed`, and never felt. */
export interface EventMap {
  /** An event is durable; told when `record()` resolves. */
  'audit:recorded': { event: AuditEvent };
  /** An event is not stored (yet). The draft is redacted. */
  'audit:failed': { draft: AuditDraft; error: Error; retrying: boolean };
  /** Events were lost for good. */
  'audit:lost': { count: number; reason: string };
  /** The append-only guard refused an operation. */
  'audit:blocked': { operation: string; collection: string };
  /** Someone seems to change the trail while the app runs, or sealing does not keep up. @see EVIDENCE, "Settled details" */
  'audit:alarm': { kind: string; where: string; detail: string };
  /** A provider answered with a value. */
  'secret:fetched': { name: string; provider: string; ms: number };
  /** A secret has another value than before. */
  'secret:rotated': { name: string; source: 'set' | 'provider' };
  /** A provider could not answer. */
  'secret:failed': { name: string; provider: string; code: string };
  /** A listener, a filter or the `when` of a rule (`rule.when`) threw, rejected, hung or answered in a wrong shape. */
  'hook:failed': { hook: string; error: Error };
}

/** Questions, asked before the act, in the order of registration; each gets what the one before answered. */
export interface FilterMap {
  /**
   * Sees every draft before redaction and may change it. `null`: not recorded, counted as refused, `record()` rejects with AUDIT_REFUSED.
   * A throw, no answer within a second or a wrong shape is counted and skipped: the draft goes on as it was.
   */
  'audit:draft': (draft: AuditDraft) => AuditDraft | null | Promise<AuditDraft | null>;
  /** A last redaction of `meta`, after the built-in one. Synchronous; a throw or a wrong shape leaves `meta` as `{}`. */
  'audit:redact': (meta: Record<string, Json>) => Record<string, Json>;
}

/** Listeners by event name, as an option. */
export type EventListeners = {
  [E in keyof EventMap]?: ((payload: EventMap[E]) => void | Promise<void>) | undefined;
};

/** Filters by name, as an option. */
export type Filters = { [F in keyof FilterMap]?: FilterMap[F] | undefined };

/** Registration of listeners and filters while the app runs. */
export interface Hooks {
  /**
   * Listens to facts. Returns its own removal.
   * @throws {@link OptionsError} OPTIONS_INVALID for an unknown name or a listener that is no function.
   */
  on<E extends keyof EventMap>(event: E, listener: (payload: EventMap[E]) => void | Promise<void>): () => void;
  /**
   * Adds a filter after those that are there. Returns its own removal.
   * @throws {@link OptionsError} OPTIONS_INVALID for an unknown name or a filter that is no function.
   */
  filter<F extends keyof FilterMap>(name: F, filter: FilterMap[F]): () => void;
}

/** The side of the hooks that the package's own rooms use. */
export interface HookBus extends Hooks {
  /** Tells every listener. Never throws, never waits. */
  emit<E extends keyof EventMap>(event: E, payload: EventMap[E]): void;
  /** The filters of one name, in order; a copy is not made, so do not keep it. */
  filters<F extends keyof FilterMap>(name: F): readonly FilterMap[F][];
  /** Counts a hook's failure and tells `hook:failed`, unless it is that event's own listener that failed. */
  failed(hook: string, error: unknown): void;
  /** How often a listener or filter failed. */
  readonly failures: number;
}

const EVENT_NAMES: readonly (keyof EventMap)[] = Object.keys({
  'audit:recorded': 0,
  'audit:failed': 0,
  'audit:lost': 0,
  'audit:blocked': 0,
  'audit:alarm': 0,
  'secret:fetched': 0,
  'secret:rotated': 0,
  'secret:failed': 0,
  'hook:failed': 0,
} satisfies Record<keyof EventMap, 0>) as (keyof EventMap)[];

const FILTER_NAMES: readonly (keyof FilterMap)[] = Object.keys({
  'audit:draft': 0,
  'audit:redact': 0,
} satisfies Record<keyof FilterMap, 0>) as (keyof FilterMap)[];

type Registry = Map<string, ((argument: never) => unknown)[]>;

/**
 * Creates the hooks of one instance.
 * @throws {@link OptionsError} OPTIONS_INVALID for an unknown name or a member that is no function.
 */
export function createHooks(
  initial: { events?: EventListeners | undefined; filters?: Filters | undefined } = {},
): HookBus {
  const listeners: Registry = new Map();
  const filters: Registry = new Map();
  let failures = 0;

  function failed(hook: string, error: unknown): void {
    failures += 1;
    if (hook !== 'hook:failed') emit('hook:failed', { hook, error: asError(error) });
  }

  function emit<E extends keyof EventMap>(event: E, payload: EventMap[E]): void {
    const registered = listeners.get(event);
    if (registered === undefined) return;
    for (const listener of registered) tell(event, () => listener(payload as never));
  }

  function tell(hook: string, call: () => unknown): void {
    try {
      const answer = call();
      if (isThenable(answer)) void Promise.resolve(answer).catch((error: unknown) => failed(hook, error));
    } catch (error) {
      failed(hook, error);
    }
  }

  const bus: HookBus = {
    on: (event, listener) => register(listeners, { kind: 'event', name: event, known: EVENT_NAMES, hook: listener }),
    filter: (name, filter) => register(filters, { kind: 'filter', name, known: FILTER_NAMES, hook: filter }),
    emit,
    filters: <F extends keyof FilterMap>(name: F) => (filters.get(name) ?? []) as unknown as readonly FilterMap[F][],
    failed,
    get failures() {
      return failures;
    },
  };
  for (const [name, hook] of present(initial.events)) bus.on(name as keyof EventMap, hook as () => void);
  for (const [name, hook] of present(initial.filters)) bus.filter(name as keyof FilterMap, hook as never);
  return bus;
}

function present(hooks: object | undefined): [string, unknown][] {
  return Object.entries(hooks ?? {}).filter(([, hook]) => hook !== undefined);
}

function register(
  registry: Registry,
  entry: { kind: string; name: string; known: readonly string[]; hook: unknown },
): () => void {
  const { kind, name, known, hook } = entry;
  if (!known.includes(name)) throw new OptionsError(`hooks: ${kind} ${unknownName(String(name), known)}`);
  if (typeof hook !== 'function') throw new OptionsError(`hooks: the ${kind} "${name}" needs a function`);
  // A wrapper of its own, so that registering one function twice and removing it once leaves one.
  const own = (argument: never): unknown => (hook as (argument: never) => unknown)(argument);
  registry.set(name, [...(registry.get(name) ?? []), own]);
  return function remove() {
    registry.set(
      name,
      (registry.get(name) ?? []).filter((registered) => registered !== own),
    );
  };
}

/** Whether a value is a promise or like one. A getter of the caller may throw here. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** What was thrown may be a proxy that lets nobody look at it: whoever tells of a failure must not fail for it. */
function asError(error: unknown): Error {
  try {
    if (error instanceof Error) return error;
  } catch {
    // It is no Error that anyone could read.
  }
  return new Error('a hook threw something that is no Error');
}
