/** The answer in the place of one that must not leave: 503, with nothing in it that the handler said. It knows no rule and no trail. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

const BODY = JSON.stringify({
  error: 'Service Unavailable',
  code: 'ERR_STRONGROOM_AUDIT_UNAVAILABLE',
  message: 'The request cannot be answered now: its audit record could not be stored in time.',
});

/** Headers of an answer: from before the handler they make no sense beside another body, and a cookie is never given with a refusal. */
const OF_AN_ANSWER: ReadonlySet<string> = new Set([
  'set-cookie',
  'content-type',
  'content-length',
  'content-encoding',
  'content-disposition',
  'content-range',
  'etag',
  'last-modified',
  'location',
  'transfer-encoding',
  'trailer',
  'retry-after',
]);

/** What has replaced a method on the response is passed by: it may add what the handler wanted to send, a session's cookie for one. */
export function callNative(res: object, method: 'writeHead' | 'write' | 'end', args: unknown[]): unknown {
  const native = Object.getPrototypeOf(res) as Record<string, (...args: unknown[]) => unknown>;
  return Reflect.apply(native[method] as (...args: unknown[]) => unknown, res, args);
}

/**
 * Sends the refusal with the headers that were there before the handler: security, CORS, labels. There is no Retry-After: what the handler
 * did is done, and a client that repeats the request by itself does it twice.
 */
export function sendRefusal(res: ServerResponse, headersBefore: OutgoingHttpHeaders): void {
  // `getHeaders` gives names in lower case.
  const spelled = new Map(rawNames(res).map((name) => [name.toLowerCase(), name]));
  for (const name of spelled.keys()) res.removeHeader(name);
  // Removing a Date switches it off.
  res.sendDate = true;
  for (const [name, value] of Object.entries(headersBefore)) {
    if (value !== undefined && !OF_AN_ANSWER.has(name)) res.setHeader(spelled.get(name) ?? name, value);
  }
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.setHeader('Content-Length', Buffer.byteLength(BODY));
  res.setHeader('Cache-Control', 'no-store');
  callNative(res, 'writeHead', [503, 'Service Unavailable']);
  callNative(res, 'end', [BODY]);
}

/** As they were written. Responses have it since Node 15.4; its types know it of requests only. */
function rawNames(res: ServerResponse): string[] {
  return (res as ServerResponse & { getRawHeaderNames(): string[] }).getRawHeaderNames();
}
