/** What the README's examples call their own OIDC client. It knows no room. */
import type { Request } from 'express';

/** The claims that a callback proved. */
export async function finishLogin(req: Request): Promise<{ sub: string } | null> {
  return typeof req.query['code'] === 'string' ? { sub: req.query['code'] } : null;
}
