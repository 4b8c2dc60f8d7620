/** Holds the exported types to the pinned ones; the compiler names the export that differs. It never runs. */
import type * as Ours from '../../src/index.js';
import type * as Pinned from './pinned-api.js';

/** `true`, or what is missing: the package gives at least what is pinned. */
type Gives<A, B> = [A] extends [B]
  ? [Full<A>] extends [Full<B>]
    ? true
    : { pinnedHasMoreOptionalMembersThan: A }
  : { doesNotFitIntoPinned: A };

/** `true`, or what is missing: the package takes at least what is pinned. */
type Takes<A, B> = [B] extends [A]
  ? [keyof Full<NonNullable<B>>] extends [keyof Full<NonNullable<A>>]
    ? true
    : { pinnedHasMoreOptionalMembersThan: A }
  : { pinnedDoesNotFitInto: A };

/** For what goes both ways. */
type Same<A, B> = Gives<A, B> extends true ? Takes<A, B> : Gives<A, B>;

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
  IsTrue<Gives<typeof Ours.strongroom, typeof Pinned.strongroom>>,
  IsTrue<Gives<typeof Ours.createSecretManager, typeof Pinned.createSecretManager>>,
  IsTrue<Gives<typeof Ours.getSecretManager, typeof Pinned.getSecretManager>>,
  IsTrue<Gives<typeof Ours.envProvider, typeof Pinned.envProvider>>,
  IsTrue<Gives<typeof Ours.dotenvProvider, typeof Pinned.dotenvProvider>>,
  IsTrue<Gives<typeof Ours.fileProvider, typeof Pinned.fileProvider>>,
  IsTrue<Gives<typeof Ours.memoryProvider, typeof Pinned.memoryProvider>>,
  IsTrue<Gives<typeof Ours.appendOnly, typeof Pinned.appendOnly>>,
];

export type OptionsOfValues = [
  IsTrue<Takes<OptionsOf<typeof Ours.createSecretManager>, OptionsOf<typeof Pinned.createSecretManager>>>,
  IsTrue<Takes<OptionsOf<typeof Ours.envProvider>, OptionsOf<typeof Pinned.envProvider>>>,
  IsTrue<Takes<OptionsOf<typeof Ours.dotenvProvider>, OptionsOf<typeof Pinned.dotenvProvider>>>,
  IsTrue<Takes<OptionsOf<typeof Ours.fileProvider>, OptionsOf<typeof Pinned.fileProvider>>>,
  IsTrue<Takes<OptionsOf<typeof Ours.appendOnly>, OptionsOf<typeof Pinned.appendOnly>>>,
];

export type Composition = [
  IsTrue<Same<Ours.Duration, Pinned.Duration>>,
  IsTrue<Same<Ours.Environment, Pinned.Environment>>,
  IsTrue<Same<Ours.Json, Pinned.Json>>,
  IsTrue<Gives<Ours.Strongroom, Pinned.Strongroom>>,
  IsTrue<Takes<OptionsOf<Ours.Strongroom['roleChanges']>, OptionsOf<Pinned.Strongroom['roleChanges']>>>,
  IsTrue<Takes<OptionsOf<Ours.Strongroom['ready']>, OptionsOf<Pinned.Strongroom['ready']>>>,
  IsTrue<Takes<OptionsOf<Ours.Strongroom['close']>, OptionsOf<Pinned.Strongroom['close']>>>,
  IsTrue<Takes<Ours.StrongroomOptions, Pinned.StrongroomOptions>>,
  IsTrue<Takes<Ours.StrongroomOptions['hooks'], Pinned.StrongroomOptions['hooks']>>,
  IsTrue<Gives<Ours.ReadyReport, Pinned.ReadyReport>>,
  IsTrue<Gives<Ours.ReadyReport['audit'], Pinned.ReadyReport['audit']>>,
];

export type Secrets = [
  IsTrue<Gives<Ours.SecretsAccessor, Pinned.SecretsAccessor>>,
  IsTrue<Takes<OptionsOf<Ours.SecretsAccessor['get']>, OptionsOf<Pinned.SecretsAccessor['get']>>>,
  IsTrue<Gives<Ours.SealedSecret, Pinned.SealedSecret>>,
  IsTrue<Gives<Ours.SecretManager, Pinned.SecretManager>>,
  IsTrue<Takes<Ours.SecretsOptions, Pinned.SecretsOptions>>,
  IsTrue<Same<Ours.ProviderName, Pinned.ProviderName>>,
  IsTrue<Same<Ours.SecretProvider, Pinned.SecretProvider>>,
];

export type Audit = [
  IsTrue<Gives<Ours.AuditRecorder, Pinned.AuditRecorder>>,
  IsTrue<Takes<OptionsOf<Ours.AuditRecorder['recordLogin']>, OptionsOf<Pinned.AuditRecorder['recordLogin']>>>,
  IsTrue<Takes<OptionsOf<Ours.AuditRecorder['recordRoleChange']>, OptionsOf<Pinned.AuditRecorder['recordRoleChange']>>>,
  IsTrue<Takes<OptionsOf<Ours.AuditRecorder['recordFailure']>, OptionsOf<Pinned.AuditRecorder['recordFailure']>>>,
  IsTrue<Gives<Ours.RequestAudit, Pinned.RequestAudit>>,
  IsTrue<Takes<OptionsOf<Ours.RequestAudit['outcome']>, OptionsOf<Pinned.RequestAudit['outcome']>>>,
  IsTrue<Gives<Ours.AuditTrail, Pinned.AuditTrail>>,
  IsTrue<Takes<OptionsOf<Ours.AuditTrail['aggregate']>, OptionsOf<Pinned.AuditTrail['aggregate']>>>,
  IsTrue<Takes<Ours.AuditFilter, Pinned.AuditFilter>>,
  IsTrue<Takes<Ours.AuditQuery, Pinned.AuditQuery>>,
  IsTrue<Gives<Ours.AuditGroup, Pinned.AuditGroup>>,
  IsTrue<Takes<Ours.AuditOptions, Pinned.AuditOptions>>,
  IsTrue<Takes<Ours.AuditOptions['redact'], Pinned.AuditOptions['redact']>>,
  IsTrue<Same<Ours.Actor, Pinned.Actor>>,
  IsTrue<Same<Ours.AuditDraft, Pinned.AuditDraft>>,
  IsTrue<Same<Ours.AuditStatus, Pinned.AuditStatus>>,
  IsTrue<Same<Ours.Context, Pinned.Context>>,
  IsTrue<Takes<Ours.CaptureRule, Pinned.CaptureRule>>,
  IsTrue<Same<Ours.AuditEvent, Pinned.AuditEvent>>,
];

export type HooksAndErrors = [
  IsTrue<Gives<Ours.Hooks, Pinned.Hooks>>,
  IsTrue<Same<Ours.EventMap, Pinned.EventMap>>,
  IsTrue<Same<Ours.FilterMap, Pinned.FilterMap>>,
  IsTrue<Takes<Ours.EventListeners, Pinned.EventListeners>>,
  IsTrue<Takes<Ours.Filters, Pinned.Filters>>,
  IsTrue<Gives<Ours.StrongroomError, Pinned.StrongroomError>>,
  IsTrue<Gives<Ours.AppendOnlyError, Pinned.StrongroomError & { operation: string; collection: string }>>,
  IsTrue<Gives<Ours.OptionsError, Pinned.StrongroomError>>,
  IsTrue<Gives<Ours.SecretError, Pinned.StrongroomError>>,
  IsTrue<Gives<Ours.AuditWriteError, Pinned.StrongroomError>>,
  IsTrue<Gives<Ours.QueryError, Pinned.StrongroomError>>,
  IsTrue<Gives<Ours.StateError, Pinned.StrongroomError>>,
];

export type OfTheRequest = [
  IsTrue<Gives<Express.Request['secrets'], Pinned.SecretsAccessor>>,
  IsTrue<Gives<Express.Request['audit'], Pinned.RequestAudit>>,
];

/** Action names of an app's own are known to the draft; any other text is allowed too. */
export type Actions = [
  IsTrue<Same<keyof Ours.ActionMap, keyof Pinned.ActionMap>>,
  IsTrue<string extends Ours.AuditDraft['action'] ? true : false>,
];

export type Evidence = [
  IsTrue<Gives<typeof Ours.stdoutAnchor, typeof Pinned.stdoutAnchor>>,
  IsTrue<Gives<typeof Ours.fileAnchor, typeof Pinned.fileAnchor>>,
  IsTrue<Gives<typeof Ours.assertIntact, typeof Pinned.assertIntact>>,
  IsTrue<Takes<Ours.EvidenceOptions, Pinned.EvidenceOptions>>,
  IsTrue<Same<Ours.Signer, Pinned.Signer>>,
  IsTrue<Takes<Ours.Anchor, Pinned.Anchor>>,
  IsTrue<Gives<Ours.Evidence, Pinned.Evidence>>,
  IsTrue<Gives<Ours.AuditTrail, Pinned.Evidence>>,
  IsTrue<Takes<OptionsOf<Ours.Evidence['verify']>, OptionsOf<Pinned.Evidence['verify']>>>,
  IsTrue<Same<Ours.VerifyReport, Pinned.VerifyReport>>,
  IsTrue<Same<Ours.VerifyState, Pinned.VerifyState>>,
  IsTrue<Same<Ours.ViolationKind, Pinned.ViolationKind>>,
  IsTrue<Same<Ours.WarningKind, Pinned.WarningKind>>,
];
