/** Collects what a verification finds, so that a trail without one good event still gives a report of bounded size. Pure. */
import type { Finding } from './report.js';

/** Findings that are listed of each kind. */
const MAX_LISTED = 1000;

/** Findings in the order in which they were made. */
export class Findings<Kind extends string> {
  readonly #listed: Finding<Kind>[] = [];
  readonly #counts = new Map<Kind, number>();

  /** Whether there is none. */
  get isEmpty(): boolean {
    return this.#listed.length === 0;
  }

  /** Adds one. */
  add(kind: Kind, where: string, detail: string): void {
    this.addMany(kind, 1, () => ({ where, detail }));
  }

  /** Adds as many of a kind; only those that will be listed are described. */
  addMany(kind: Kind, count: number, describe: (index: number) => { where: string; detail: string }): void {
    const before = this.#counts.get(kind) ?? 0;
    this.#counts.set(kind, before + count);
    const listed = Math.min(count, Math.max(0, MAX_LISTED - before));
    for (let index = 0; index < listed; index += 1) this.#listed.push({ kind, ...describe(index) });
  }

  /** What was found; the last one listed of a kind says how many more there were. */
  list(): Finding<Kind>[] {
    const left = new Map(this.#counts);
    return this.#listed.map((finding) => {
      const count = left.get(finding.kind) ?? 0;
      left.set(finding.kind, count - 1);
      const total = this.#counts.get(finding.kind) ?? 0;
      const isLast = total > MAX_LISTED && total - count === MAX_LISTED - 1;
      return isLast
        ? { ...finding, detail: `${finding.detail}; and ${total - MAX_LISTED} more of this kind` }
        : finding;
    });
  }
}
