/** The names of actions that the trail knows, and a warning, once, for one that it does not. It refuses nothing. */
import { warnOnce } from '../errors.js';
import { type Check, matches, nearestName } from '../settings.js';
import { cleanText } from './text.js';

/** Every action that has a fixed meaning. */
export const REGISTERED_ACTIONS: readonly string[] = [
  'auth.login',
  'auth.logout',
  'auth.register',
  'auth.password_change',
  'auth.password_reset',
  'auth.password_reset_request',
  'auth.mfa_enable',
  'auth.mfa_disable',
  'auth.mfa_verify',
  'access.denied',
  'user.create',
  'user.update',
  'user.delete',
  'user.role_change',
  'user.activate',
  'user.deactivate',
  'billing.checkout',
  'billing.payment',
  'billing.refund',
  'billing.subscription_change',
  'billing.webhook',
  'signal.create',
  'signal.approve',
  'signal.reject',
  'signal.execute',
  'admin.config_change',
  'admin.api_key_create',
  'admin.api_key_revoke',
  'admin.user_ban',
  'admin.audit_read',
  'admin.audit_export',
  'device.register',
  'device.revoke',
  'device.trust',
  'secret.rotate',
  'secret.invalidate',
  'audit.gap',
  'audit.prune',
];

/** The longest name of an action, in UTF-16 units. */
const MAX_ACTION_LENGTH = 64;

/** Bounds memory and noise where an app makes up action names as it goes: beyond it nothing more is said. */
const MAX_WARNED = 50;

/** The actions of one instance. */
export interface Vocabulary {
  /** Whether the action is a built-in one or one of `audit.actions`. */
  isRegistered(action: string): boolean;
  /** Warns (process warning STRONGROOM_ACTION_UNKNOWN) of an action that is not registered, once each, with the nearest name. Never throws. */
  check(action: string): void;
}

/** Passes the name of an action: 1 to 64 characters, no white space. */
export const isActionName: Check = matches(
  (value) => typeof value === 'string' && value.length <= MAX_ACTION_LENGTH && /^\S+$/.test(value),
  "an action's name of 1 to 64 characters without white space",
);

/** Creates the vocabulary of one instance; `own` are the names of `audit.actions`. */
export function createVocabulary(own: readonly string[] = []): Vocabulary {
  const known = new Set([...REGISTERED_ACTIONS, ...own]);
  const names = [...known];
  const warned = new Set<string>();
  return {
    isRegistered: (action) => known.has(action),
    check(action) {
      if (known.has(action)) return;
      const name = cleanText(action, MAX_ACTION_LENGTH);
      if (warned.size >= MAX_WARNED || warned.has(name)) return;
      warned.add(name);
      const nearest = nearestName(name, names);
      const hint = nearest === undefined ? 'add your own names to audit.actions' : `did you mean "${nearest}"?`;
      warnOnce('ACTION_UNKNOWN', `audit action "${name}" is stored, but not registered: ${hint}`);
    },
  };
}
