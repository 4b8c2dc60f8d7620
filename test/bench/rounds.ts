/** Fair comparisons: contenders take turns in one run, and medians of what they did in the same round are compared. It knows no contender. */

/** Something whose speed is measured. */
export interface Contender {
  readonly name: string;
  /** Works once and tells its speed, in whatever a second. Throws when what it was to do was not done. */
  run(): Promise<number>;
}

/** Speeds of all contenders, round by round. */
export class Speeds {
  readonly #byName = new Map<string, number[]>();

  /** Notes the speed of one contender in the current round. */
  note(name: string, speed: number): void {
    this.#byName.set(name, [...(this.#byName.get(name) ?? []), speed]);
  }

  /** The median of a contender's speeds. */
  of(name: string): number {
    return median(this.#rounds(name));
  }

  /** How many times as fast as the other: the median of the rounds' ratios, so that a slow minute of the machine hits both. */
  ratio(name: string, other: string): number {
    const others = this.#rounds(other);
    return median(this.#rounds(name).map((speed, round) => speed / (others[round] as number)));
  }

  #rounds(name: string): readonly number[] {
    const speeds = this.#byName.get(name);
    if (speeds === undefined) throw new Error(`${name} was never measured`);
    return speeds;
  }
}

/** Measures the contenders in turn: A B C, C B A, A B C. A first round, which compiles and connects, does not count. */
export async function alternate(contenders: readonly Contender[], rounds: number): Promise<Speeds> {
  const speeds = new Speeds();
  for (let round = 0; round <= rounds; round += 1) {
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const { name, run } of order) {
      const speed = await run();
      if (round > 0) speeds.note(name, speed);
    }
  }
  return speeds;
}

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
