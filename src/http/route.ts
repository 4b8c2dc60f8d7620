/** The pattern of the route that a request took, free of what the client put into the URL. Pure text. */
import type { Observed } from './observed.js';
import { decodeSegment } from './path.js';

/** Redacts text by its look and by being a secret. */
export type RedactText = (text: string) => string;

/** What stands for a segment that the client chose. */
const MASK = ':param';

/** `/api/users/:id/role`, with the mount path; null when no route was taken. */
export function routePattern(observed: Observed, redact: RedactText): string | null {
  const { taken } = observed;
  if (taken === null) return null;
  const path = Array.isArray(taken.path) ? taken.path.map(String).join('|') : taken.path;
  if (typeof path !== 'string' && !(path instanceof RegExp)) return null;
  const mount = maskMount(taken.baseUrl, observed.paramValues, redact);
  return mount !== '' && path === '/' ? mount : `${mount}${String(path)}`;
}

/** Inside the mount path nothing tells the app's words from the client's, except that the client's are known as parameters or look secret. */
function maskMount(baseUrl: string, values: readonly string[], redact: RedactText): string {
  if (typeof baseUrl !== 'string' || baseUrl === '') return '';
  return baseUrl
    .split('/')
    .map((segment) => (isClients(segment, values, redact) ? MASK : segment))
    .join('/');
}

function isClients(segment: string, values: readonly string[], redact: RedactText): boolean {
  if (segment === '') return false;
  const decoded = decodeSegment(segment);
  return values.includes(segment) || values.includes(decoded) || redact(decoded) !== decoded;
}
