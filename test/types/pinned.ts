/** Holds the exported types to the pinned ones, in both directions; the compiler names the export that differs. It never runs. */
import type * as Ours from '../../src/index.js';
import type * as Pinned from './pinned-api.js';

/** `true`, or which way a value does not fit. More optional members than pinned are fine, fewer are not. */
type Same<A, B> = [A] extends [B]
  ? [B] extends [A]
    ? [Full<A>] extends [Full<B>]
      ? true
      : { pinnedHasMoreOptionalMembersThan: A }
    : { pinnedDoesNotFitInto: A }
  : { doesNotFitIntoPinned: A };

/** With its optional members there: left out, they would fit anything. */
type Full<T> = T extends (...args: never) => unknown
  ? T
  : T extends readonly unknown[] | Date | RegExp | AbortSignal
    ? T
    : T extends object
      ? Required<T>
      : T;

/** The last argument of a method, where its options are. */
type OptionsOf<Method extends (...args: never) => unknown> = NonNullable<
  Parameters<Method> extends [...infer _, (infer Last)?] ? Last : never
>;

type IsTrue<T extends true> = T;

export type Values = [
  IsTrue<Same<typeof Ours.strongroom, typeof Pinned.strongroom>>,
  IsTrue<Same<typeof Ours.createSecretManager, typeof Pinned.createSecretManager>>,
  IsTrue<Same<typeof Ours.getSecretManager, typeof Pinned.getSecretManager>>,
  IsTrue<Same<typeof Ours.envProvider, typeof Pinned.envProvider>>,
  IsTrue<Same<typeof Ours.dotenvProvider, typeof Pinned.dotenvProvider>>,
  IsTrue<Same<typeof Ours.fileProvider, typeof Pinned.fileProvider>>,
  IsTrue<Same<typeof Ours.memoryProvider, typeof Pinned.memoryProvider>>,
  IsTrue<Same<typeof Ours.appendOnly, typeof Pinned.appendOnly>>,
];

export type OptionsOfValues = [
  IsTrue<Same<OptionsOf<typeof Ours.createSecretManager>, OptionsOf<typeof Pinned.createSecretManager>>>,
  IsTrue<Same<OptionsOf<typeof Ours.envProvider>, OptionsOf<typeof Pinned.envProvider>>>,
  IsTrue<Same<OptionsOf<typeof Ours.dotenvProvider>, OptionsOf<typeof Pinned.dotenvProvider>>>,
  IsTrue<Same<OptionsOf<typeof Ours.fileProvider>, OptionsOf<typeof Pinned.fileProvider>>>,
  IsTrue<Same<OptionsOf<typeof Ours.appendOnly>, OptionsOf<typeof Pinned.appendOnly>>>,
];

export type Composition = [
  IsTrue<Same<Ours.Duration, Pinned.Duration>>,
  IsTrue<Same<Ours.Environment, Pinned.Environment>>,
  IsTrue<Same<Ours.Json, Pinned.Json>>,
  IsTrue<Same<Ours.Strongroom, Pinned.Strongroom>>,
  IsTrue<Same<OptionsOf<Ours.Strongroom['ready']>, OptionsOf<Pinned.Strongroom['ready']>>>,
  IsTrue<Same<OptionsOf<Ours.Strongroom['close']>, OptionsOf<Pinned.Strongroom['close']>>>,
  IsTrue<Same<Ours.StrongroomOptions, Pinned.StrongroomOptions>>,
  IsTrue<Same<Ours.StrongroomOptions['hooks'], Pinned.StrongroomOptions['hooks']>>,
  IsTrue<Same<Ours.ReadyReport, Pinned.ReadyReport>>,
  IsTrue<Same<Ours.ReadyReport['audit'], Pinned.ReadyReport['audit']>>,
];

export type Secrets = [
  IsTrue<Same<Ours.SecretsAccessor, Pinned.SecretsAccessor>>,
  IsTrue<Same<OptionsOf<Ours.SecretsAccessor['get']>, OptionsOf<Pinned.SecretsAccessor['get']>>>,
  IsTrue<Same<Ours.SealedSecret, Pinned.SealedSecret>>,
  IsTrue<Same<Ours.SecretManager, Pinned.SecretManager>>,
  IsTrue<Same<Ours.SecretsOptions, Pinned.SecretsOptions>>,
  IsTrue<Same<Ours.ProviderName, Pinned.ProviderName>>,
  IsTrue<Same<Ours.SecretProvider, Pinned.SecretProvider>>,
];

export type Audit = [
  IsTrue<Same<Ours.AuditRecorder, Pinned.AuditRecorder>>,
  IsTrue<Same<OptionsOf<Ours.AuditRecorder['recordLogin']>, OptionsOf<Pinned.AuditRecorder['recordLogin']>>>,
  IsTrue<Same<OptionsOf<Ours.AuditRecorder['recordRoleChange']>, OptionsOf<Pinned.AuditRecorder['recordRoleChange']>>>,
  IsTrue<Same<OptionsOf<Ours.AuditRecorder['recordFailure']>, OptionsOf<Pinned.AuditRecorder['recordFailure']>>>,
  IsTrue<Same<Ours.RequestAudit, Pinned.RequestAudit>>,
  IsTrue<Same<OptionsOf<Ours.RequestAudit['outcome']>, OptionsOf<Pinned.RequestAudit['outcome']>>>,
  IsTrue<Same<Ours.AuditTrail, Pinned.AuditTrail>>,
  IsTrue<Same<OptionsOf<Ours.AuditTrail['aggregate']>, OptionsOf<Pinned.AuditTrail['aggregate']>>>,
  IsTrue<Same<Ours.AuditFilter, Pinned.AuditFilter>>,
  IsTrue<Same<Ours.AuditQuery, Pinned.AuditQuery>>,
  IsTrue<Same<Ours.AuditGroup, Pinned.AuditGroup>>,
  IsTrue<Same<Ours.AuditOptions, Pinned.AuditOptions>>,
  IsTrue<Same<Ours.AuditOptions['redact'], Pinned.AuditOptions['redact']>>,
  IsTrue<Same<Ours.Actor, Pinned.Actor>>,
  IsTrue<Same<Ours.AuditDraft, Pinned.AuditDraft>>,
  IsTrue<Same<Ours.AuditStatus, Pinned.AuditStatus>>,
  IsTrue<Same<Ours.Context, Pinned.Context>>,
  IsTrue<Same<Ours.CaptureRule, Pinned.CaptureRule>>,
  IsTrue<Same<Ours.AuditEvent, Pinned.AuditEvent>>,
];

export type HooksAndErrors = [
  IsTrue<Same<Ours.Hooks, Pinned.Hooks>>,
  IsTrue<Same<Ours.EventMap, Pinned.EventMap>>,
  IsTrue<Same<Ours.FilterMap, Pinned.FilterMap>>,
  IsTrue<Same<Ours.EventListeners, Pinned.EventListeners>>,
  IsTrue<Same<Ours.Filters, Pinned.Filters>>,
  IsTrue<Same<Ours.StrongroomError, Pinned.StrongroomError>>,
  IsTrue<Same<Ours.AppendOnlyError, Pinned.StrongroomError & { operation: string; collection: string }>>,
  IsTrue<Same<Ours.OptionsError, Pinned.StrongroomError>>,
  IsTrue<Same<Ours.SecretError, Pinned.StrongroomError>>,
  IsTrue<Same<Ours.AuditWriteError, Pinned.StrongroomError>>,
  IsTrue<Same<Ours.QueryError, Pinned.StrongroomError>>,
  IsTrue<Same<Ours.StateError, Pinned.StrongroomError>>,
];

export type OfTheRequest = [
  IsTrue<Same<Express.Request['secrets'], Pinned.SecretsAccessor>>,
  IsTrue<Same<Express.Request['audit'], Pinned.RequestAudit>>,
];

/** Action names of an app's own are known to the draft; any other text is allowed too. */
export type Actions = [
  IsTrue<Same<keyof Ours.ActionMap, keyof Pinned.ActionMap>>,
  IsTrue<string extends Ours.AuditDraft['action'] ? true : false>,
];
