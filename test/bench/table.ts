/** The one table that the benchmark prints, and what each of its columns says. It measures nothing. */

/** A line of the table. */
export interface Row {
  readonly what: string;
  /** The measured figure with its unit; it depends on the machine and is not judged. */
  readonly value: string;
  /** Against the contender that the row names. */
  readonly ratio?: number | undefined;
  /** What the ratio should reach; without one the row only informs. */
  readonly goal?: { readonly sign: '>=' | '='; readonly ratio: number } | undefined;
}

const HEAD = ['what', 'value', 'ratio', 'goal', 'reached'];

/** Prints the rows; a quick run judges nothing, its figures are noise. How many goals were missed. */
export function printTable(rows: readonly Row[], judge: boolean): number {
  const lines = [HEAD, ...rows.map((row) => cells(row, judge))];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const [head, ...body] = lines.map((line) => print(line, widths));
  console.log(['', head, widths.map((width) => '-'.repeat(width)).join('-|-'), ...body, ''].join('\n'));
  return judge ? rows.filter((row) => !isReached(row)).length : 0;
}

function cells(row: Row, judge: boolean): string[] {
  const { what, value, ratio, goal } = row;
  const shown = goal === undefined ? '' : `${goal.sign} ${goal.ratio}`;
  const verdict = isReached(row) ? 'yes' : 'missed';
  return [what, value, ratio === undefined ? '' : ratio.toFixed(2), shown, goal === undefined || !judge ? '' : verdict];
}

function print(line: readonly string[], widths: readonly number[]): string {
  return widths
    .map((width, column) => (column === 0 ? (line[column] ?? '').padEnd(width) : (line[column] ?? '').padStart(width)))
    .join(' | ');
}

function isReached({ ratio, goal }: Row): boolean {
  if (goal === undefined) return true;
  if (ratio === undefined) return false;
  return goal.sign === '=' ? ratio === goal.ratio : ratio >= goal.ratio;
}

/** A large number, readable. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
