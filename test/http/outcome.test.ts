/** The status table: what each way to end a response means. */
import { expect } from 'chai';
import { type Ending, judge } from '../../src/http/outcome.js';

function told(statusCode: number, o: { action?: string; ending?: Ending; changed?: boolean } = {}): string {
  const { action = 'user.delete', ending = 'answered', changed = false } = o;
  const { status, reason } = judge({ ending, statusCode, action, hasAuthenticationChanged: changed });
  return `${status} ${String(reason)}`;
}

const TABLE: readonly [statusCode: number, told: string][] = [
  [200, 'success null'],
  [204, 'success null'],
  [302, 'success redirected'],
  [304, 'success redirected'],
  [400, 'failure validation'],
  [401, 'failure unauthenticated'],
  [402, 'failure rejected'],
  [403, 'failure forbidden'],
  [404, 'failure not_found'],
  [409, 'failure conflict'],
  [413, 'failure too_large'],
  [415, 'failure validation'],
  [418, 'failure rejected'],
  [422, 'failure validation'],
  [423, 'failure locked'],
  [429, 'failure rate_limited'],
  [500, 'error internal'],
  [503, 'error internal'],
];

describe('The outcome', () => {
  for (const [statusCode, expected] of TABLE) {
    it(`of ${statusCode} is ${expected}`, () => {
      expect(told(statusCode)).to.equal(expected);
    });
  }

  it('of 401 on a login is a wrong password', () => {
    expect(told(401, { action: 'auth.login' })).to.equal('failure invalid_credentials');
    expect(told(401, { action: 'auth.logout' })).to.equal('failure unauthenticated');
  });

  for (const action of ['auth.login', 'auth.logout']) {
    it(`of a redirect on ${action} depends on whether an authentication came or went`, () => {
      expect(told(302, { action, changed: true })).to.equal('success redirected');
      expect(told(302, { action })).to.equal('failure redirected');
    });
  }

  it('of an aborted or abandoned request does not look at the status', () => {
    expect(told(200, { ending: 'aborted' })).to.equal('error client_aborted');
    expect(told(200, { ending: 'abandoned' })).to.equal('error no_response');
  });
});
