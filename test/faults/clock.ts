/** A wall clock of this process that a test may step, as an administrator or NTP would; the monotonic clock goes on. It knows no user of it. */

let offsetMs = 0;
const RealDate = Date;
const now = (): number => RealDate.now() + offsetMs;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, values: unknown[], made) =>
    Reflect.construct(target, values.length === 0 ? [now()] : values, made) as Date,
  apply: () => new RealDate(now()).toString(),
  get: (target, member, receiver) => (member === 'now' ? now : (Reflect.get(target, member, receiver) as unknown)),
});

/** Moves the wall clock from now on. */
export function stepClock(byMs: number): void {
  offsetMs += byMs;
}
