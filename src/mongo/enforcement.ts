/** What follows in production from a trail that the server does not protect: no start, or a warning. It must not know how that was found out. */
import { AuditWriteError, warnOnce } from '../errors.js';
import type { Enforcement } from './privileges.js';

const REMEDY =
  'make a user that may only find and insert (`strongroom provision`) and connect as it, or set audit.dangerouslyAllowUnenforced: true';

/** Throws when the trail can be changed; warns, once, when that could not be told. @throws {@link AuditWriteError} AUDIT_UNENFORCED with the reasons and the remedy. */
export function assertEnforced({ enforcement, reasons }: Enforcement): void {
  if (enforcement === 'unenforced') {
    throw new AuditWriteError(
      'AUDIT_UNENFORCED',
      `the database does not protect the trail: ${say(reasons)}; ${REMEDY}`,
    );
  }
  warnDoubt({ enforcement, reasons });
}

/** Warns, once, unless the trail is protected: recording goes on. */
export function warnUnenforced({ enforcement, reasons }: Enforcement): void {
  if (enforcement === 'unenforced') {
    warnOnce('UNENFORCED', `the database does not protect the audit trail: ${say(reasons)}; ${REMEDY}`);
  }
  warnDoubt({ enforcement, reasons });
}

function warnDoubt({ enforcement, reasons }: Pick<Enforcement, 'enforcement' | 'reasons'>): void {
  if (enforcement !== 'unknown') return;
  warnOnce('UNENFORCED', `whether the database protects the audit trail could not be told: ${say(reasons)}`);
}

function say(reasons: readonly string[]): string {
  return reasons.join('; ');
}
