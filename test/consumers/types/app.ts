/** What users write, compiled only: the composition, typed request members, action names of their own, hooks, reading. */
import express from 'express';
import type { Request, Response } from 'express';
import mongoose from 'mongoose';
import {
  StrongroomError,
  appendOnly,
  betterAuthPlugin,
  createSecretManager,
  dotenvProvider,
  envProvider,
  fileProvider,
  getSecretManager,
  memoryProvider,
  strongroom,
} from 'express-strongroom';
import type {
  ActionMap,
  AuditDraft,
  AuditEvent,
  CaptureRule,
  Duration,
  SecretProvider,
  StrongroomOptions,
} from 'express-strongroom';

declare module 'express-strongroom' {
  interface ActionMap {
    'order.refund': unknown;
  }
}

export const known: keyof ActionMap = 'order.refund';
export const draft: AuditDraft = { action: 'order.refund', target: 'order', targetId: '7', meta: { cents: 1200 } };
export const another: AuditDraft = { action: 'not.registered', reason: process.env['REASON'] };
// @ts-expect-error a status is one of three words
export const wrong: AuditDraft = { action: 'order.refund', status: 'done' };

const ttl: Duration = '5m';
// @ts-expect-error a unit is needed
export const noUnit: Duration = '5';

const vault: SecretProvider = {
  name: 'vault',
  get: (name, { signal }) => fetch(`http://vault.internal/${name}`, { signal }).then((answer) => answer.text()),
};
const refund: CaptureRule = {
  method: ['POST', 'PUT'],
  path: '/orders/:id/refund',
  action: 'order.refund',
  when: (req: Request, res: Response) => req.method === 'POST' && res.statusCode < 500,
  describe: (req) => ({ targetId: String(req.params['id']) }),
};
const options: StrongroomOptions = {
  secrets: {
    provider: ['env', vault, fileProvider({ directory: '/run/secrets' }), memoryProvider({ A: 'b' })],
    ttl,
    ttls: { DB_PASSWORD: 30_000 },
    required: ['DB_PASSWORD'],
  },
  audit: {
    uri: process.env['AUDIT_URI'],
    rules: (defaults) => [refund, ...defaults],
    actions: ['order.refund'],
    passport: process.env['PASSPORT'] === undefined ? undefined : { authenticate: () => undefined },
    actor: (req) => (req.ip === undefined ? null : { id: req.ip, role: process.env['ROLE'] }),
    redact: { keys: ['iban', /^x-/], values: [/\d{16}/] },
  },
  helmet: { contentSecurityPolicy: false },
  hooks: { events: { 'audit:lost': ({ count }) => void count }, filters: { 'audit:draft': (seen) => seen } },
};
const room = strongroom(options);
export const other = strongroom({ audit: { connection: mongoose.createConnection('mongodb://localhost/app') } });
export const silent = strongroom({ audit: false, environment: undefined, helmet: undefined });
export const plugin: { id: string } = betterAuthPlugin(room);
// @ts-expect-error where the trail is stored has no default
strongroom({});

export const app = express();
app.use(room);
app.post('/orders/:id/refund', async (req, res) => {
  const key: string = await req.secrets.get('PAYMENT_KEY', { default: process.env['PAYMENT_KEY'] });
  const { A, B } = await req.secrets.getMany(['A', 'B']);
  const same: boolean = (await req.secrets.sealed('WEBHOOK_KEY')).equals(String(req.headers['x-key']));
  req.audit.outcome({ status: same ? 'success' : 'failure', actor: { id: 'u-1' } });
  const event: AuditEvent = await req.audit.record(draft);
  res.json({ id: event._id, length: [key, A, B].length });
});

export async function report(): Promise<void> {
  const { audit } = await room.ready({ timeout: '10s' });
  const enforced: boolean = audit !== false && audit.enforcement === 'enforced';
  const { events, next } = await room.audit.find({ action: ['order.refund'], from: new Date(0), limit: 10 });
  const total: number = await room.audit.count({ actorId: null });
  const groups = await room.audit.aggregate({ by: ['action', 'status'], interval: 'day' });
  for await (const event of room.audit.stream()) console.log(event.at.toISOString(), event.meta['cents']);
  const last = await room.audit.model.findOne({ action: 'order.refund' }).lean();
  console.log(enforced, events[0]?.actorRole, next, total, groups[0]?.count, last?.status, room.audit.stats().pending);
  await room.audit.runAs({ id: 'cron', role: 'SYSTEM' }, () => room.secrets.set('PAYMENT_KEY', 'new'));
  await room.close();
}

const invoices = new mongoose.Schema<{ total: number }>({ total: Number });
invoices.plugin(appendOnly, { onViolation: ({ operation, collection }) => console.log(operation, collection) });
appendOnly(invoices);
appendOnly(new mongoose.Schema({ text: String }));

const staff = new mongoose.Schema<{ role: string }>({ role: String }, { timestamps: true });
staff.plugin(room.roleChanges());
staff.plugin(room.roleChanges({ paths: ['role'], action: 'user.role_change' }));
new mongoose.Schema({ role: String }).plugin(room.roleChanges());
mongoose.plugin(room.roleChanges());
// @ts-expect-error an unknown option
room.roleChanges({ path: 'role' });

export const remove: () => void = room.hooks.on('audit:recorded', ({ event }) => console.log(event.action));
export const removeFilter: () => void = room.hooks.filter('audit:redact', (meta) => ({ ...meta, seen: true }));
// @ts-expect-error an unknown event
room.hooks.on('audit:record', () => undefined);

export const manager = createSecretManager({ provider: dotenvProvider({ path: process.env['DOTENV'] }) });
export const byPrefix = createSecretManager({ provider: envProvider({ prefix: 'APP_' }), environment: 'test' });
export const shared: Promise<string> = getSecretManager().get('A');

export function statusOf(error: unknown): number {
  return error instanceof StrongroomError && error.code === 'ERR_STRONGROOM_SECRET_NOT_FOUND' ? error.status : 500;
}
