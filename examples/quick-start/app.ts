/** A small real app: accounts in MongoDB, signed tokens, roles; the room is mounted in front of it. Nothing here is special to the tour. */
import { createHmac, randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { type Connection, type Model, Schema } from 'mongoose';
// In your own app: from 'express-strongroom'.
import type { Strongroom } from '../../src/index.js';

/** A user as it is stored. */
export interface StoredUser {
  email: string;
  salt: string;
  passwordHash: string;
  role: string;
}

const userSchema = new Schema<StoredUser>({
  email: { type: String, required: true, unique: true },
  salt: { type: String, required: true },
  passwordHash: { type: String, required: true },
  role: { type: String, required: true, default: 'customer' },
});

type User = StoredUser & { id: string };

interface Token {
  sub: string;
  role: string;
}

type Authenticated = Request & { auth?: Token };

/** The users on a connection; whoever changes a role through them, the room sees it. */
export function openUsers(room: Strongroom, connection: Connection): Model<StoredUser> {
  userSchema.plugin(room.roleChanges());
  return connection.model('User', userSchema);
}

/** Builds the app on a room and its users. */
export function createApp(room: Strongroom, Users: Model<StoredUser>): Express {
  const app = express();
  app.use(room);
  app.use(express.json());
  app.use(authenticate);

  app.post('/auth/register', async (req, res) => {
    const { email, password } = readCredentials(req);
    const salt = randomBytes(16).toString('hex');
    const role = (await Users.estimatedDocumentCount()) === 0 ? 'admin' : 'customer';
    const user = await Users.create({ email, salt, passwordHash: hash(password, salt), role });
    req.audit.outcome({ targetId: user.id, actor: { id: user.id } });
    res.status(201).json({ id: user.id, role });
  });

  app.post('/auth/login', async (req, res) => {
    const { email, password } = readCredentials(req);
    const user: User | null = await Users.findOne({ email });
    if (user === null || !isRight(password, user)) {
      res.status(401).json({ error: 'wrong e-mail or password' });
      return;
    }
    // A token login leaves no req.user behind: say who it was.
    req.audit.outcome({ actor: { id: user.id, role: user.role } });
    res.json({ token: sign({ sub: user.id, role: user.role }, await req.secrets.get('TOKEN_KEY')) });
  });

  app.post('/auth/logout', requireRole(), (_req, res) => {
    res.status(204).end();
  });

  app.put('/users/:id/role', requireRole('admin'), async (req, res) => {
    const { role } = req.body as { role: string };
    const user = await Users.findByIdAndUpdate(String(req.params['id']), { role }, { returnDocument: 'after' });
    if (user === null) res.status(404).end();
    else res.json({ id: user.id, role: user.role });
  });

  app.get('/admin/report', requireRole('admin'), (_req, res) => {
    res.json({ report: 'all is well' });
  });

  app.post('/admin/rotate-key', requireRole('admin'), async (req, res) => {
    // Tokens signed with the old key stay valid until they are signed anew: see examples/rotation.
    await room.secrets.set('TOKEN_KEY_PREVIOUS', await req.secrets.get('TOKEN_KEY'));
    await room.secrets.set('TOKEN_KEY', randomBytes(32).toString('hex'));
    res.status(204).end();
  });

  app.get('/admin/trail', requireRole('admin'), async (req, res) => {
    // The query string goes in as it is: whatever is no filter is answered with 400.
    res.json(await room.audit.find(req.query));
  });

  // oxlint-disable-next-line max-params -- Express knows an error handler by its four parameters.
  app.use((error: Error & { status?: number }, _req: Request, res: Response, _next: NextFunction) => {
    res.status(error.status ?? 500).json({ error: error.message });
  });
  return app;
}

async function authenticate(req: Authenticated, _res: Response, next: NextFunction): Promise<void> {
  const token = /^Bearer (.+)$/.exec(req.headers.authorization ?? '')?.[1];
  if (token !== undefined) {
    const keys = [await req.secrets.get('TOKEN_KEY'), await req.secrets.get('TOKEN_KEY_PREVIOUS', { default: '' })];
    const proven = keys.map((key) => (key === '' ? undefined : verify(token, key))).find(Boolean);
    if (proven !== undefined) req.auth = proven;
  }
  next();
}

function requireRole(role?: string) {
  return function guard(req: Authenticated, res: Response, next: NextFunction): void {
    if (req.auth === undefined) res.status(401).json({ error: 'log in first' });
    else if (role !== undefined && req.auth.role !== role) res.status(403).json({ error: `for ${role}s only` });
    else next();
  };
}

function readCredentials(req: Request): { email: string; password: string } {
  const { email, password } = (req.body ?? {}) as Record<string, unknown>;
  if (typeof email === 'string' && typeof password === 'string') return { email, password };
  throw Object.assign(new Error('email and password are needed'), { status: 400 });
}

function hash(password: string, salt: string): string {
  return scryptSync(password, salt, 32).toString('hex');
}

function isRight(password: string, user: User): boolean {
  return timingSafeEqual(Buffer.from(hash(password, user.salt)), Buffer.from(user.passwordHash));
}

function sign(token: Token, key: string): string {
  const body = Buffer.from(JSON.stringify(token)).toString('base64url');
  return `${body}.${createHmac('sha256', key).update(body).digest('base64url')}`;
}

function verify(text: string, key: string): Token | undefined {
  const [body = '', mac = ''] = text.split('.');
  const expected = createHmac('sha256', key).update(body).digest();
  const given = Buffer.from(mac, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  return JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as Token;
}
