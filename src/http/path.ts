/** The pathname of a request as routers may read it: as sent, and as the WHATWG URL parser normalises it. Pure text; it knows no rule. */

/** What makes two readers of one URL disagree: dots, backslashes, escapes, empty segments, fragments, the absolute form. */
const UNUSUAL = /[\\%#]|\/[./]|^[^/]/;

/** Every pathname that a URL may be read as, without query and fragment; the one as sent comes first. */
export function pathnamesOf(url: string): readonly string[] {
  const end = url.search(/[?#]/);
  const sent = end === -1 ? url : url.slice(0, end);
  if (!UNUSUAL.test(sent)) return [sent];
  const read = [sent, normalise(url, 'http://host'), normalise(`http://host${url}`)];
  return [...new Set(read.filter((pathname) => pathname !== undefined))];
}

/** The segments of a pathname, each decoded once; a slash at the end changes nothing, as in Express. */
export function segmentsOf(pathname: string): string[] {
  const start = pathname.startsWith('/') ? 1 : 0;
  const end = pathname.length > start && pathname.endsWith('/') ? pathname.length - 1 : pathname.length;
  if (start === end) return [];
  const segments = pathname.slice(start, end).split('/');
  return pathname.includes('%') ? segments.map(decodeSegment) : segments;
}

/** Decodes once, as Express does for parameters; what is malformed stays as it was sent. */
export function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function normalise(url: string, base?: string): string | undefined {
  return URL.canParse(url, base) ? new URL(url, base).pathname : undefined;
}
