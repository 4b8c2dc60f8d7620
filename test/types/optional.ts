/** Every optional member that a user passes in takes `undefined` too, so that `{ default: process.env.X }` compiles under exactOptionalPropertyTypes. It never runs. */
import type * as Ours from '../../src/index.js';

/** The optional members of T that refuse `undefined`; `never` when all take it. */
type Strict<T> = T extends unknown ? { [K in keyof T]-?: Refusal<T, K> }[keyof T] : never;
type Refusal<T, K extends keyof T> =
  object extends Pick<T, K> ? (Record<K, undefined> extends Pick<T, K> ? never : K) : never;

type LastOf<Method extends (...args: never) => unknown> = NonNullable<
  Parameters<Method> extends [...infer _, (infer Last)?] ? Last : never
>;

/** Compiles when T is `never`; else the error names the members. */
type None<T extends never> = T;

export type Options = [
  None<Strict<Ours.StrongroomOptions>>,
  None<Strict<NonNullable<Ours.StrongroomOptions['hooks']>>>,
  None<Strict<Ours.SecretsOptions>>,
  None<Strict<Ours.SecretProvider>>,
  None<Strict<Ours.AuditOptions>>,
  None<Strict<NonNullable<Ours.AuditOptions['redact']>>>,
  None<Strict<Exclude<NonNullable<Ours.AuditOptions['spool']>, false>>>,
  None<Strict<Ours.CaptureRule>>,
  None<Strict<Ours.EventListeners>>,
  None<Strict<Ours.Filters>>,
  None<Strict<LastOf<typeof Ours.createSecretManager>>>,
  None<Strict<LastOf<typeof Ours.envProvider>>>,
  None<Strict<LastOf<typeof Ours.dotenvProvider>>>,
  None<Strict<LastOf<typeof Ours.appendOnly>>>,
  None<Strict<LastOf<Ours.Strongroom['roleChanges']>>>,
  None<Strict<LastOf<Ours.Strongroom['ready']>>>,
  None<Strict<LastOf<Ours.Strongroom['close']>>>,
];

export type Arguments = [
  None<Strict<LastOf<Ours.SecretsAccessor['get']>>>,
  None<Strict<Ours.Actor>>,
  None<Strict<Ours.AuditDraft>>,
  None<Strict<Ours.AuditFilter>>,
  None<Strict<Ours.AuditQuery>>,
  None<Strict<LastOf<Ours.AuditTrail['aggregate']>>>,
  None<Strict<LastOf<Ours.AuditRecorder['recordLogin']>>>,
  None<Strict<LastOf<Ours.AuditRecorder['recordLogout']>>>,
  None<Strict<LastOf<Ours.AuditRecorder['recordRegistration']>>>,
  None<Strict<LastOf<Ours.AuditRecorder['recordRoleChange']>>>,
  None<Strict<LastOf<Ours.AuditRecorder['recordFailure']>>>,
  None<Strict<LastOf<Ours.RequestAudit['outcome']>>>,
];
