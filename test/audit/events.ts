/** Events for tests that need a store and no recorder. */
import type { UnnumberedEvent } from '../../src/audit/store.js';

/** A valid event; what matters to the test is given. */
export function makeEvent(given: Partial<UnnumberedEvent> = {}): UnnumberedEvent {
  return {
    _id: '',
    v: 1,
    at: new Date('2026-01-01T00:00:00.000Z'),
    app: null,
    tenantId: null,
    actorId: 'u1',
    actorRole: 'USER',
    onBehalfOf: null,
    action: 'auth.login',
    target: 'user',
    targetId: 'u1',
    status: 'success',
    reason: null,
    ipAddress: '127.0.0.1',
    userAgent: null,
    requestId: null,
    source: 'api',
    http: null,
    meta: {},
    salt: 'AAAAAAAAAAAAAAAAAAAAAA',
    ...given,
  };
}
