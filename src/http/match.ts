/** Compares requests with rules: methods, segments, patterns. Pure; it asks no `when`. */
import { decodeSegment, pathnamesOf, segmentsOf } from './path.js';
import type { CaptureRule } from './rules.js';

/** A rule whose method and path fit a request. */
export interface Match {
  /** The rule as the app or the package wrote it. */
  readonly rule: CaptureRule;
  /** The segment in the place of `:id`, decoded; null without one. */
  readonly id: string | null;
}

/** Finds the rules that fit a method and a URL, in their order. */
export type FindMatches = (method: string, url: string) => readonly Match[];

interface Pathname {
  readonly text: string;
  readonly segments: readonly string[];
}

/** The id, null without one; undefined: no match. */
type MatchPath = (pathname: Pathname) => string | null | undefined;

interface CompiledRule {
  readonly rule: CaptureRule;
  readonly methods: ReadonlySet<string>;
  readonly matchPath: MatchPath;
}

/** Compiles checked rules. */
export function compileRules(rules: readonly CaptureRule[]): FindMatches {
  const compiled = rules.map(compileRule);
  const byMethod = new Map<string, readonly CompiledRule[]>();

  function rulesFor(method: string): readonly CompiledRule[] {
    const known = byMethod.get(method);
    if (known !== undefined) return known;
    const fitting = compiled.filter(({ methods }) => methods.has(method) || methods.has('*'));
    // Node's parser knows a few dozen methods and refuses the rest, so the map stays small.
    byMethod.set(method, fitting);
    return fitting;
  }

  return function findMatches(method, url) {
    if (method === 'OPTIONS') return [];
    const candidates = rulesFor(method);
    if (candidates.length === 0) return [];
    const pathnames = pathnamesOf(url).map((text) => ({ text, segments: segmentsOf(text) }));
    const matches: Match[] = [];
    for (const { rule, matchPath } of candidates) {
      const id = firstId(pathnames, matchPath);
      if (id !== undefined) matches.push({ rule, id });
    }
    return matches;
  };
}

function compileRule(rule: CaptureRule): CompiledRule {
  const methods = new Set(
    (typeof rule.method === 'string' ? [rule.method] : rule.method).map((name) => name.toUpperCase()),
  );
  if (methods.has('GET')) methods.add('HEAD');
  return {
    rule,
    methods,
    matchPath: typeof rule.path === 'string' ? matchSegments(rule.path) : matchPattern(rule.path),
  };
}

function firstId(pathnames: readonly Pathname[], matchPath: MatchPath): string | null | undefined {
  for (const pathname of pathnames) {
    const id = matchPath(pathname);
    if (id !== undefined) return id;
  }
  return undefined;
}

function matchSegments(path: string): MatchPath {
  const isWhole = path.startsWith('/');
  const wanted = segmentsOf(path).map((segment) => (segment.startsWith(':') ? segment : segment.toLowerCase()));
  const idIndex = wanted.indexOf(':id');
  return function matchLastSegments({ segments }) {
    const skipped = segments.length - wanted.length;
    if (skipped < 0 || (isWhole && skipped > 0)) return undefined;
    const fits = wanted.every((segment, index) => fitsSegment(segment, segments[skipped + index] ?? ''));
    if (!fits) return undefined;
    return idIndex === -1 ? null : (segments[skipped + idIndex] ?? null);
  };
}

function fitsSegment(wanted: string, segment: string): boolean {
  return wanted.startsWith(':') ? segment !== '' : wanted === segment.toLowerCase();
}

function matchPattern(pattern: RegExp): MatchPath {
  // A copy without state: with `g` or `y` every second test would fail.
  const stateless = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
  return function matchWholePath({ text }) {
    const match = stateless.exec(text);
    if (match === null) return undefined;
    const id = match.groups?.['id'];
    return id === undefined ? null : decodeSegment(id);
  };
}
