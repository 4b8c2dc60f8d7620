/** The middleware: gives each request its secrets, its recorder, its headers and its context. It knows no database and no provider. */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { type ResolvedRecordingOptions, resolveRecordingOptions } from '../audit/options.js';
import type { ScopeStorage } from '../audit/context.js';
import type { RecordDraft } from '../audit/recording.js';
import { assertStrictNames, createIsStrict, type IsStrict } from '../audit/strict-actions.js';
import type { SecretsAccessor } from '../secrets/accessor.js';
import { Capture } from './capture.js';
import { HttpContext } from './context.js';
import { defineAll, listProperties } from './define.js';
import { createHeaders, type HeadersOption } from './headers.js';
import { compileRules, type FindMatches } from './match.js';
import { listenToStrategies } from './passport.js';
import type { ResolvedCaptureOptions } from './options.js';
import { createRequestAudit, type RequestAudit } from './request-audit.js';
import type { RedactText } from './route.js';
import { resolveRules } from './rules.js';
import { draftOf, type ReadActs } from './witnessed.js';

/** What the middleware works with. */
export interface HttpLayerParts {
  /** Takes drafts on their way into the trail. */
  readonly record: RecordDraft;
  /** Carries the context through the app's code. */
  readonly scopes: ScopeStorage;
  /** What `req.secrets` is. */
  readonly secrets: SecretsAccessor;
  /** The security headers. */
  readonly helmet?: HeadersOption | undefined;
  /** Auto-logging; not enabled, requests still get `req.audit`. */
  readonly audit: ResolvedCaptureOptions & { readonly enabled: boolean };
  /** Redacts a mount path that stands in `http.route`. @defaultValue nothing is redacted here; the recorder does it with every text */
  readonly redact?: RedactText | undefined;
  /** Whether the data layer tells by itself when this action really happened: then a route's word alone is no success. @defaultValue it tells nothing */
  readonly isSeenInData?: ((action: string) => boolean) | undefined;
  /** Tells that a `when` of the app failed, as hooks are told. @defaultValue nobody is told */
  readonly hookFailed?: ((hook: string, error: unknown) => void) | undefined;
  /** How long an aborted request is held for a handler that completes the act. @defaultValue 10 s */
  readonly holdMs?: number | undefined;
  /** Names of the app's own actions, and how long an answer waits for a strict event. @defaultValue none, 30 s */
  readonly recording?: Pick<ResolvedRecordingOptions, 'actions' | 'timeoutMs'> | undefined;
}

/** The HTTP side of one room. */
export interface HttpLayer {
  /** The actions that the rules name. */
  readonly actions: readonly string[];
  /** Goes into the app, before what it shall see. */
  readonly middleware: RequestHandler;
  /** Resolves when what responses that were sent have to record was handed over; for a socket that takes nothing it waits a second. */
  settle(): Promise<void>;
  /** Takes what an integration sees in the request that runs now; outside one it is recorded at once. */
  witness(read: ReadActs): void;
  /** As `settle`; also hands over what is held after an abort, and stops the timers. */
  close(): Promise<void>;
}

const DEFAULT_HOLD_MS = 10_000;
const DEFAULT_RECORDING = resolveRecordingOptions({});

/**
 * Creates the HTTP side of a room.
 * @throws {@link OptionsError} OPTIONS_INVALID for rules, helmet options or names of strict actions that are wrong.
 */
export function createHttpLayer(parts: HttpLayerParts): HttpLayer {
  const { scopes, audit } = parts;
  const headers = createHeaders(parts.helmet);
  const { actions } = parts.recording ?? DEFAULT_RECORDING;
  const rules = resolveRules(audit.rules);
  assertStrictNames(audit.strict, [...actions, ...rules.map(({ action }) => action)]);
  const isStrict = createIsStrict(audit.strict);
  const capture = createCapture(parts, { findMatches: compileRules(rules), isStrict });
  if (audit.passport !== undefined) listenToStrategies(audit.passport);
  const options = { ...audit, redact: parts.redact ?? ((text: string) => text) };
  const bound = createBindings(parts);

  function enter(req: Request, res: Response, next: NextFunction): void {
    const known = bound.contextOf(req);
    const context = known ?? new HttpContext(req, res, options);
    if (known === undefined) {
      bound.bind(context);
      if (audit.enabled) capture.follow(context);
    }
    // Also when mounted twice: code between may have lost the scope, as some body parsers do.
    scopes.run(context.scope, next);
  }

  function strongroomMiddleware(req: Request, res: Response, next: NextFunction): void {
    if (headers === null) enter(req, res, next);
    else headers(req, res, (error?: unknown) => (error === undefined ? enter(req, res, next) : next(error)));
  }

  return {
    actions: rules.map(({ action }) => action),
    middleware: strongroomMiddleware,
    settle: () => capture.settle(),
    witness: createWitness(parts),
    close: () => capture.close(),
  };
}

function createCapture(
  parts: HttpLayerParts,
  { findMatches, isStrict }: { findMatches: FindMatches; isStrict: IsStrict | null },
): Capture {
  const { timeoutMs } = parts.recording ?? DEFAULT_RECORDING;
  return new Capture({
    record: parts.record,
    findMatches,
    isSeenInData: parts.isSeenInData ?? (() => false),
    abandonAfterMs: parts.audit.abandonAfterMs,
    holdMs: parts.holdMs ?? DEFAULT_HOLD_MS,
    strict: isStrict && { isStrict, timeoutMs },
    hookFailed: parts.hookFailed ?? (() => undefined),
  });
}

function createWitness({ scopes, record }: HttpLayerParts): HttpLayer['witness'] {
  return function witness(read) {
    const request = scopes.getStore()?.request ?? null;
    if (request instanceof HttpContext && !request.isConcluded) {
      request.witness(read);
      return;
    }
    for (const act of read({ isLogin: false, ending: 'answered', statusCode: null })) {
      if (act.verdict !== null) void record(draftOf(act, act.verdict), { source: act.source, request });
    }
  };
}

/** `req.secrets` and `req.audit` of one room. */
interface Bindings {
  bind(context: HttpContext): void;
  contextOf(req: Request): HttpContext | undefined;
}

type Bound = Request & { readonly [key: symbol]: HttpContext | undefined };

/** Accessors on each request, not enumerable, so that a dump of a request shows neither; built once, since they cost as much as the rest. */
function createBindings({ record, secrets }: HttpLayerParts): Bindings {
  const KEY = Symbol('express-strongroom.context');
  const audits = new WeakMap<HttpContext, RequestAudit>();

  function auditOf(context: HttpContext): RequestAudit {
    const audit = audits.get(context) ?? createRequestAudit(context, record);
    audits.set(context, audit);
    return audit;
  }

  const anchor: PropertyDescriptor = { value: undefined };
  const map: PropertyDescriptorMap & ThisType<Bound> = {
    [KEY]: anchor,
    secrets: { configurable: true, get: () => secrets },
    audit: {
      configurable: true,
      get() {
        const context = this[KEY];
        return context && auditOf(context);
      },
    },
  };
  const properties = listProperties(map);

  return {
    contextOf: (req) => (req as Bound)[KEY],
    bind(context) {
      anchor.value = context;
      defineAll(context.req, properties);
      anchor.value = undefined;
    },
  };
}
