/** Calls what belongs to the app, so that nothing it throws or rejects with reaches the request. It knows no request. */

/** What the call gives; undefined when it throws, or gives a promise: auto-logging waits for nobody. */
export function attempt<Value>(call: () => Value): Value | undefined {
  try {
    const value = call();
    if (!isThenable(value)) return value;
    // An async function where a plain one belongs: its rejection must not end the process.
    value.then(undefined, () => undefined);
    return undefined;
  } catch {
    return undefined;
  }
}

/** A member of the app's object, which may be a getter that throws; undefined when there is no object. */
export function readMember(owner: unknown, name: string): unknown {
  try {
    const value = (owner as Record<string, unknown> | null | undefined)?.[name];
    // An async getter: the promise was made for this look, and nobody else can hear of its rejection.
    if (value instanceof Promise) value.catch(() => undefined);
    return value;
  } catch {
    return undefined;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject && typeof readMember(value, 'then') === 'function';
}
