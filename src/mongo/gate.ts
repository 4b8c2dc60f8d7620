/** Puts a gate before one method of one object and leaves its class, and every other instance, as it is. It must not know what is decided. */

/** Calls the method behind the gate. */
export type Call = (...args: readonly unknown[]) => unknown;

/** Decides one call: returns what the caller gets, from `call` or without it. */
export type Decide = (call: Call, args: readonly unknown[]) => unknown;

/** Whether the gate can be replaced or removed by assignment: `fixed` for what must hold, `loose` on objects that belong to the app. */
export type Hold = 'fixed' | 'loose';

/** Gates `target[name]`, where there is such a method: older versions lack some. The method behind it is looked up at each call, so that tracing which patches the class later still works. */
export function gate(target: object, name: string, options: { decide: Decide; hold: Hold }): void {
  const { decide, hold } = options;
  const loose = hold === 'loose';
  if (behind(target, name) === undefined) return;
  Object.defineProperty(target, name, {
    configurable: loose,
    writable: loose,
    enumerable: false,
    value: function gated(...args: unknown[]): unknown {
      return decide((...passed) => behind(target, name)?.(...passed), args);
    },
  });
}

/**
 * Looks on at `target[name]` from outside whatever stands there already: several rooms may look on at the same calls. It can be replaced by
 * assignment. Where a fixed gate stands, nothing is put before it.
 */
export function overlook(target: object, name: string, decide: Decide): void {
  const there = Object.getOwnPropertyDescriptor(target, name);
  if (there?.configurable === false) return;
  const inner: unknown = there?.value;
  const call: Call =
    typeof inner === 'function'
      ? (...args) => Reflect.apply(inner, target, args) as unknown
      : (...args) => behind(target, name)?.(...args);
  Object.defineProperty(target, name, {
    configurable: true,
    writable: true,
    enumerable: false,
    value: function overlooked(...args: unknown[]): unknown {
      return decide(call, args);
    },
  });
}

function behind(target: object, name: string): Call | undefined {
  const method = (Object.getPrototypeOf(target) as Record<string, unknown>)[name];
  return typeof method === 'function' ? (...args) => Reflect.apply(method, target, args) as unknown : undefined;
}

/** A refusal as the rejected promise that an asynchronous method owes, or else what the call returns. */
export function rejectOr(refusal: Error | undefined, proceed: () => unknown): unknown {
  return refusal === undefined ? proceed() : Promise.reject(refusal);
}
