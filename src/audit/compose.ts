/** Turns a draft into the event that is stored: attributed, redacted, cut to size, salted. Nothing unredacted leaves this file. */
import { randomFillSync } from 'node:crypto';
import { cutText } from '../evidence/cut.js';
import { normalise, sizeOf, SNAPSHOT_LIMITS, STORED_LIMITS } from '../evidence/normalise.js';
import type { Actor, AuditHttp } from '../event.js';
import { type HookBus, isThenable } from '../hooks.js';
import { isRecord } from '../settings.js';
import { limitAddress, readAddress } from './address.js';
import { attribute } from './attribution.js';
import { type DraftSnapshot, TEXT_LIMITS } from './draft.js';
import type { ResolvedRecordingOptions } from './options.js';
import { pseudonym } from './pseudonym.js';
import type { Origin } from './recording.js';
import { isEmail } from './email.js';
import { REDACTED, type Redactor } from './redaction.js';
import type { RequestContext } from './context.js';
import type { Meta, UnnumberedEvent } from './store.js';

/** An event without its number, and its weight in memory. */
export interface Composed {
  readonly event: UnnumberedEvent;
  readonly bytes: number;
}

/** What surrounds a draft. */
interface Setting extends Pick<Origin, 'source' | 'attempted'> {
  readonly request: RequestContext | null;
  readonly runAs: Actor | null;
  /** Key of the pseudonyms; null: none is configured. */
  readonly pseudonymKey: string | null;
}

/** What the composer works with. */
export interface ComposerParts {
  readonly redactor: Redactor;
  readonly hooks: HookBus;
  readonly options: ResolvedRecordingOptions;
}

/** What an event weighs without its `meta`: objects, short texts and the promise, as measured on Node 20 with an eighth to spare. */
const ENTRY_OVERHEAD_BYTES = 1536;

/** What an event weighs in memory. */
export function weigh({ meta }: Pick<UnnumberedEvent, 'meta'>): number {
  return ENTRY_OVERHEAD_BYTES + sizeOf(meta);
}

/** Composes events for one instance. */
export type Compose = (draft: DraftSnapshot, setting: Setting) => Composed;

/** Whether composing needs the key of the pseudonyms. */
export function needsPseudonym(draft: DraftSnapshot, attempted: string | undefined): boolean {
  return attempted !== undefined || looksPersonal(draft.actorId) || looksPersonal(draft.targetId);
}

/** Creates the composer of one instance. */
export function createComposer(parts: ComposerParts): Compose {
  const { redactor, options } = parts;
  const { text, frequentText } = redactor;
  const nullable = (value: string | null, limit: number): string | null => (value === null ? null : text(value, limit));

  const identity = (value: string | null, key: string | null): string | null => standIn(value, key, redactor);

  return function compose(draft, setting) {
    const { request, pseudonymKey } = setting;
    const who = attribute(draft, setting);
    const client = readClient(draft, request, options);
    const meta = redactMeta(parts, draft.meta);
    const event: UnnumberedEvent = {
      _id: '',
      v: 1,
      at: draft.at,
      app: options.app,
      tenantId: nullable(who.tenantId, TEXT_LIMITS.tenantId),
      actorId: identity(who.actorId, pseudonymKey),
      actorRole: upperCase(frequentText(who.actorRole, TEXT_LIMITS.actorRole)),
      onBehalfOf: identity(who.onBehalfOf, pseudonymKey),
      action: frequentText(draft.action, TEXT_LIMITS.action),
      target: frequentText(draft.target ?? 'system', TEXT_LIMITS.target),
      targetId: identity(draft.targetId ?? null, pseudonymKey) ?? typedName(setting),
      status: draft.status,
      reason: nullable(draft.reason, TEXT_LIMITS.reason),
      ipAddress: client.ipAddress,
      userAgent: client.userAgent === null ? null : frequentText(client.userAgent, TEXT_LIMITS.userAgent),
      requestId: nullable(client.requestId, TEXT_LIMITS.requestId),
      source: setting.source,
      http: request === null ? null : cleanHttp(request.http(), redactor),
      meta,
      salt: createSalt(),
    };
    return { event, bytes: weigh(event) };
  };
}

/** After redaction, which knows secrets as they are written; what is longer in upper case (ß) is cut again. */
function upperCase(role: string): string {
  const upper = role.toUpperCase();
  if (upper === role) return role;
  return cutText(upper, TEXT_LIMITS.actorRole).replaceAll(REDACTED.toUpperCase(), REDACTED);
}

/** The id as it may be stored: an address becomes its pseudonym, or a mark where no key is. */
function standIn(id: string | null, key: string | null, { text }: Redactor): string | null {
  if (id === null) return null;
  if (!looksPersonal(id)) return text(id, TEXT_LIMITS.actorId);
  return key === null ? '[email]' : pseudonym(id, key);
}

/** The pseudonym of what was typed as a user name; null without a key: what was typed is never stored. */
function typedName({ attempted, pseudonymKey }: Setting): string | null {
  return attempted === undefined || pseudonymKey === null ? null : pseudonym(attempted, pseudonymKey);
}

/** The client by the draft, else by the request, as far as the options keep it. */
function readClient(
  draft: DraftSnapshot,
  request: RequestContext | null,
  options: ResolvedRecordingOptions,
): Pick<UnnumberedEvent, 'ipAddress' | 'userAgent' | 'requestId'> {
  const address = draft.ipAddress === undefined ? (request?.ipAddress ?? null) : readAddress(draft.ipAddress);
  const userAgent = draft.userAgent === undefined ? (request?.userAgent ?? null) : draft.userAgent;
  const requestId = draft.requestId === undefined ? (request?.requestId ?? null) : draft.requestId;
  return {
    ipAddress: limitAddress(address, options.ipAddress),
    userAgent: options.userAgent ? userAgent : null,
    requestId,
  };
}

function cleanHttp(http: AuditHttp, { frequentText }: Redactor): AuditHttp {
  return {
    method: frequentText(http.method, 32),
    route: http.route === null ? null : frequentText(http.route, 256),
    status: http.status,
  };
}

/** Built-in redaction, then the app's own; what the app's filter answers is bounded again. */
function redactMeta({ redactor, hooks }: ComposerParts, meta: Meta): Meta {
  let redacted = redactor.meta(meta) as Meta;
  for (const filter of hooks.filters('audit:redact')) {
    try {
      redacted = redactor.meta(readAnswer(filter(redacted))) as Meta;
    } catch (error) {
      hooks.failed('audit:redact', error);
      // What the filter was meant to hide must not be stored because the filter failed.
      redacted = {};
    }
  }
  // What redaction put in may exceed a limit again; in so little no key, text or list can.
  return sizeOf(redacted) < 2 * STORED_LIMITS.keyLength ? redacted : (normalise(redacted) as Meta);
}

/** @throws TypeError when it is no object; a promise is none, and its rejection must not end the process. */
function readAnswer(answer: unknown): Meta {
  if (isThenable(answer)) answer.then(undefined, () => undefined);
  else {
    const meta = normalise(answer, SNAPSHOT_LIMITS);
    if (isRecord(answer) && isRecord(meta)) return meta;
  }
  throw new TypeError('an audit:redact filter must answer with an object');
}

function looksPersonal(id: string | null | undefined): boolean {
  // Most ids hold neither: the pattern runs only for those that may be an address.
  return typeof id === 'string' && (id.includes('@') || id.includes('%40')) && isEmail(id);
}

const SALT_BYTES = 16;
const pool = Buffer.alloc(SALT_BYTES * 256);
let used = pool.length;

/** 16 random bytes; drawn 256 at a time, since each draw costs more than the bytes. */
function createSalt(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += SALT_BYTES;
  return pool.toString('base64url', used - SALT_BYTES, used);
}
