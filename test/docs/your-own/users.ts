/** What the README's examples call their own: a user, a password check, a token. It knows no room. */
import { createHmac } from 'node:crypto';
import type { NextFunction, Request, Response } from 'express';

/** A user of the examples. */
export interface User {
  id: string;
  role: string;
}

/** Knows alice by her password. */
export async function findUser(body: unknown): Promise<User | null> {
  const { name, password } = (body ?? {}) as { name?: unknown; password?: unknown };
  return name === 'alice' && password === 'correct horse' ? { id: 'u-alice', role: 'admin' } : null;
}

/** A token, good enough for an example. */
export function signToken(user: User, key: string): string {
  return createHmac('sha256', key).update(user.id).digest('base64url');
}

/** Lets through who says so. */
export function requireAdmin(req: Request, res: Response, next: NextFunction): void {
  if (req.headers.authorization === 'admin') next();
  else res.sendStatus(401);
}
