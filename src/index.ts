/** The public names, one by one; nothing else. */
export { strongroom } from './strongroom.js';
export type { Strongroom } from './strongroom.js';
export type { AuditReadiness, Lifecycle, ReadyReport, WaitOptions } from './lifecycle.js';
export type { AuditOptions, StrongroomOptions } from './options.js';

export { createSecretManager } from './secrets/manager.js';
export { getSecretManager } from './secrets/process.js';
export { dotenvProvider } from './secrets/dotenv.js';
export { envProvider } from './secrets/env.js';
export { fileProvider } from './secrets/file.js';
export { memoryProvider } from './secrets/memory.js';
export type { GetSecretOptions, SecretsAccessor } from './secrets/accessor.js';
export type { DotenvProviderOptions } from './secrets/dotenv.js';
export type { EnvProviderOptions } from './secrets/env.js';
export type { Environment } from './secrets/environment.js';
export type { FileProviderOptions } from './secrets/file.js';
export type { SecretManager, SecretManagerOptions, SecretStats } from './secrets/manager.js';
export type { SecretsOptions } from './secrets/options.js';
export type { ProviderName, SecretContext, SecretProvider } from './secrets/provider.js';
export type { SealedSecret } from './secrets/sealed.js';

export { mongoAnchor } from './mongo/anchor.js';
export type { MongoAnchorOptions } from './mongo/anchor.js';
export { appendOnly } from './mongo/append-only.js';
export type { AppendOnlyOptions } from './mongo/append-only.js';
export type { StorageOptions } from './mongo/options.js';
export type { RoleChangeOptions } from './mongo/role-changes.js';
export type { AuditTrail, Evidence } from './mongo/trail.js';
export type { VerifyOptions } from './mongo/verification.js';

export { betterAuthPlugin } from './http/better-auth.js';
export type { BetterAuthPlugin } from './http/better-auth.js';
export type { CaptureRule } from './http/rules.js';
export type { CaptureOptions } from './http/options.js';
export type { RequestAudit } from './http/request-audit.js';
import './http/middleware.js';

export { fileAnchor, stdoutAnchor } from './audit/anchors.js';
export type { Anchor, AnchorOptions } from './audit/anchors.js';
export type { EvidenceOptions } from './audit/evidence-options.js';
export type { EvidenceState } from './audit/sealer.js';
export type { Signer } from './evidence/keys.js';
export { assertIntact } from './evidence/report.js';
export type {
  Finding,
  VerifyProgress,
  VerifyReport,
  VerifyState,
  ViolationKind,
  WarningKind,
} from './evidence/report.js';
export type { RecordingOptions, SpoolOptions } from './audit/options.js';
export type { AuditFilter, AuditGrouping, AuditQuery, GroupField } from './audit/query.js';
export type { AuditStats } from './audit/stats.js';
export type {
  AuditRecorder,
  FailureRecord,
  LoginRecord,
  LogoutRecord,
  RegistrationRecord,
  RoleChangeRecord,
} from './audit/recording.js';
export type { RedactOptions } from './audit/redaction.js';
export type { AuditGroup } from './audit/store.js';

export type {
  ActionMap,
  Actor,
  AuditDraft,
  AuditEvent,
  AuditHttp,
  AuditSource,
  AuditStatus,
  Context,
  Json,
} from './event.js';
export type { EventListeners, EventMap, FilterMap, Filters, Hooks } from './hooks.js';
export {
  AppendOnlyError,
  AuditWriteError,
  OptionsError,
  QueryError,
  SecretError,
  StateError,
  StrongroomError,
} from './errors.js';
export type { Duration } from './settings.js';
