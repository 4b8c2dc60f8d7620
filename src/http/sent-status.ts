/** The status that was sent with an answer: what its handler makes of `statusCode` later changes nothing for the client. It knows nothing else of a response. */
import type { ServerResponse } from 'node:http';

/** Node writes it for clients of HTTP/1.0 too. */
const VERSION = 'HTTP/1.1 ';

/** How the head of an answer begins, as Node keeps it on the response; middleware looks there too (express-session, compression, morgan). */
export function beginHead(statusCode: number): string {
  return `${VERSION}${statusCode} `;
}

/** The status in the head, once that is written; before, and where no head is kept (HTTP/2, injected requests), the one that would be sent. */
export function sentStatus(res: ServerResponse): number {
  const head: unknown = (res as { _header?: unknown })._header;
  if (typeof head !== 'string' || !head.startsWith(VERSION)) return res.statusCode;
  return Number(head.slice(VERSION.length, VERSION.length + 3)) || res.statusCode;
}
