/** Which requests a rule matches: the default table, an app's own rules, and paths that a hostile client bends. */
import { expect } from 'chai';
import { OptionsError } from '../../src/errors.js';
import { compileRules } from '../../src/http/match.js';
import {
  DEFAULT_RULES,
  DEFAULT_TABLE,
  isRulesOption,
  resolveRules,
  type CaptureRule,
  type CaptureRules,
} from '../../src/http/rules.js';

const findDefault = compileRules(resolveRules(undefined));

function first(method: string, url: string): [string, string | null] | undefined {
  const match = findDefault(method, url).find(({ rule }) => rule.action !== 'access.denied');
  return match && [match.rule.action, match.id];
}

function firstOwn(rule: Partial<CaptureRule>, method: string, url: string): string | null | undefined {
  const find = compileRules(resolveRules([{ method: 'POST', path: 'x', action: 'order.refund', ...rule }]));
  const match = find(method, url)[0];
  return match && match.id;
}

const MATCHES: readonly [method: string, url: string, action: string, id?: string][] = [
  ['POST', '/login', 'auth.login'],
  ['POST', '/api/v1/auth/login', 'auth.login'],
  ['POST', '/anything/signin', 'auth.login'],
  ['POST', '/sign-in/email', 'auth.login'],
  ['POST', '/session', 'auth.login'],
  ['POST', '/api/v2/sessions', 'auth.login'],
  ['POST', '/logout', 'auth.logout'],
  ['DELETE', '/auth/sign-out', 'auth.logout'],
  ['DELETE', '/sessions/abc', 'auth.logout'],
  ['GET', '/logout', 'auth.logout'],
  ['HEAD', '/logout', 'auth.logout'],
  ['POST', '/register', 'auth.register'],
  ['POST', '/auth/signup', 'auth.register'],
  ['POST', '/x/sign-up/email', 'auth.register'],
  ['PATCH', '/change-password', 'auth.password_change'],
  ['PUT', '/users/u1/password', 'auth.password_change', 'u1'],
  ['POST', '/me/password', 'auth.password_change'],
  ['POST', '/forgot-password', 'auth.password_reset_request'],
  ['POST', '/password/reset', 'auth.password_reset'],
  ['PUT', '/2fa/enable', 'auth.mfa_enable'],
  ['DELETE', '/totp/disable', 'auth.mfa_disable'],
  ['POST', '/two-factor/verify', 'auth.mfa_verify'],
  ['PATCH', '/api/users/42/role', 'user.role_change', '42'],
  ['POST', '/users/a%2Fb/roles', 'user.role_change', 'a/b'],
  ['POST', '/users', 'user.create'],
  ['POST', '/admin/users', 'user.create'],
  ['DELETE', '/users/42', 'user.delete', '42'],
];

const STRANGERS: readonly [method: string, url: string][] = [
  ['GET', '/login'],
  ['OPTIONS', '/login'],
  ['POST', '/login/help'],
  ['POST', '/loginx'],
  ['POST', '/devices/register'],
  ['POST', '/training/sessions'],
  ['POST', '/teams/7/users'],
  ['GET', '/users/42/role'],
  ['DELETE', '/users'],
  ['DELETE', '/users//role'],
  ['POST', '/?/login'],
  ['POST', '/x?next=/login'],
];

describe('The default rules', () => {
  for (const [method, url, action, id] of MATCHES) {
    it(`take ${method} ${url} for ${action}`, () => {
      expect(first(method, url)).to.deep.equal([action, id ?? null]);
    });
  }

  for (const [method, url] of STRANGERS) {
    it(`do not know ${method} ${url}`, () => {
      expect(first(method, url)).to.equal(undefined);
    });
  }

  it('compare without case and without a slash at the end', () => {
    expect(first('POST', '/LOGIN/')).to.deep.equal(['auth.login', null]);
    expect(first('POST', '/Auth/Register/')).to.deep.equal(['auth.register', null]);
    expect(first('PUT', '/Users/Alice/Role')).to.deep.equal(['user.role_change', 'Alice']);
  });

  for (const url of [
    'http://host/login',
    '//host/login',
    '/x/../login',
    '/./login',
    '/x/%2e%2e/login',
    '/x\\login',
    '/login#top',
    '/%6cogin',
    '/login?x=1',
  ]) {
    it(`see the login in ${url}`, () => {
      expect(first('POST', url)).to.deep.equal(['auth.login', null]);
    });
  }

  it('see the registration in a path that only normalising shows', () => {
    expect(first('POST', '/devices/../register')).to.deep.equal(['auth.register', null]);
    expect(first('POST', 'http://host/register')).to.deep.equal(['auth.register', null]);
  });

  it('survive what no URL parser takes', () => {
    expect(first('POST', 'http://[/login')).to.deep.equal(['auth.login', null]);
    expect(first('POST', '/%E0%A4%A/login')).to.deep.equal(['auth.login', null]);
    expect(first('DELETE', '/users/%E0%A4%A')).to.deep.equal(['user.delete', '%E0%A4%A']);
    expect(first('POST', '*')).to.equal(undefined);
    expect(first('POST', '')).to.equal(undefined);
  });

  it('end with access.denied, for any method but OPTIONS', () => {
    expect(DEFAULT_TABLE.at(-1)).to.include({ action: 'access.denied', target: 'route' });
    expect(findDefault('PURGE', '/anything').map(({ rule }) => rule.action)).to.deep.equal(['access.denied']);
    expect(findDefault('OPTIONS', '/anything')).to.deep.equal([]);
  });

  it('are frozen, so that one room cannot change those of another', () => {
    expect(() => Object.assign(DEFAULT_RULES[0] as object, { action: 'x.y' })).to.throw(TypeError);
  });

  it('take linear time for a long path', () => {
    const startMs = performance.now();
    first('POST', `/${'auth/'.repeat(3000)}x`);
    first('POST', `/${'a/../'.repeat(3000)}x`);
    expect(performance.now() - startMs).to.be.below(500);
  });
});

describe('A rule of an app', () => {
  it('with a leading slash is the whole path, without it the last segments', () => {
    expect(firstOwn({ path: '/orders/:id/refund' }, 'POST', '/orders/7/refund')).to.equal('7');
    expect(firstOwn({ path: '/orders/:id/refund' }, 'POST', '/api/orders/7/refund')).to.equal(undefined);
    expect(firstOwn({ path: 'orders/:id/refund' }, 'POST', '/api/orders/7/refund')).to.equal('7');
    expect(firstOwn({ path: '/' }, 'POST', '/')).to.equal(null);
    expect(firstOwn({ path: '/' }, 'POST', '/x')).to.equal(undefined);
  });

  it('takes any one segment for another name, without making it the id', () => {
    expect(firstOwn({ path: '/orgs/:org/seats/:id' }, 'POST', '/orgs/acme/seats/9')).to.equal('9');
    expect(firstOwn({ path: '/orgs/:org/seats' }, 'POST', '/orgs/acme/seats')).to.equal(null);
  });

  it('tests a RegExp on the path, every time anew', () => {
    const find = compileRules(
      resolveRules([{ method: 'POST', path: /^\/rpc\/(?<id>\w+)$/gy, action: 'order.refund' }]),
    );
    for (let turn = 0; turn < 3; turn += 1) expect(find('POST', '/rpc/a1?x')[0]?.id).to.equal('a1');
  });

  it('takes methods in any case, lists of them, and * for any', () => {
    expect(firstOwn({ method: 'put' }, 'PUT', '/x')).to.equal(null);
    expect(firstOwn({ method: ['PUT', 'PATCH'] }, 'PATCH', '/x')).to.equal(null);
    expect(firstOwn({ method: '*' }, 'DELETE', '/x')).to.equal(null);
    expect(firstOwn({ method: 'GET' }, 'HEAD', '/x')).to.equal(null);
    expect(firstOwn({ method: '*' }, 'OPTIONS', '/x')).to.equal(undefined);
  });

  it('replaces the default rules, or maps them', () => {
    const own: CaptureRule = { method: 'POST', path: '/x', action: 'order.refund' };
    expect(resolveRules([own])).to.deep.equal([own]);
    expect(resolveRules((defaults) => [own, ...defaults])).to.have.length(DEFAULT_RULES.length + 1);
    expect(resolveRules([])).to.deep.equal([]);
  });
});

describe('A wrong rule', () => {
  const WRONG: readonly [rules: unknown, message: RegExp][] = [
    ['login', /^audit\.rules must be an array, got a string/],
    [[null], /^audit\.rules\[0\] must be an object, got null/],
    [
      [{ method: 'POST', path: '/x', action: 'a.b', wehn: 1 }],
      /^audit\.rules\[0\].*"wehn" is unknown; did you mean "when"\?/,
    ],
    [[{ method: 'PSOT', path: '/x', action: 'a.b' }], /^audit\.rules\[0\]\.method .*did you mean "POST"\?/],
    [[{ method: 'OPTIONS', path: '/x', action: 'a.b' }], /^audit\.rules\[0\]\.method: OPTIONS is never recorded/],
    [[{ method: [], path: '/x', action: 'a.b' }], /^audit\.rules\[0\]\.method must name at least one/],
    [[{ method: ['GET', 1], path: '/x', action: 'a.b' }], /^audit\.rules\[0\]\.method\[1\] .*a number/],
    [[{ method: 'GET', path: '', action: 'a.b' }], /^audit\.rules\[0\]\.path /],
    [[{ method: 'GET', path: '/api/*', action: 'a.b' }], /^audit\.rules\[0\]\.path .*RegExp/],
    [[{ method: 'GET', path: '/x' }], /^audit\.rules\[0\]\.action /],
    [[{ method: 'GET', path: '/x', action: 'a.b', target: '' }], /^audit\.rules\[0\]\.target /],
    [[{ method: 'GET', path: '/x', action: 'a.b', when: true }], /^audit\.rules\[0\]\.when must be a function/],
    [() => undefined, /^audit\.rules must be an array, got undefined/],
  ];
  for (const [rules, message] of WRONG) {
    it(`is refused at construction: ${String(message)}`, () => {
      expect(() => resolveRules(rules as CaptureRules)).to.throw(OptionsError, message);
    });
  }

  it('is found by the check of the option too', () => {
    expect(isRulesOption([{ method: 'PSOT', path: '/x', action: 'a.b' }], 'audit.rules')).to.match(
      /did you mean "POST"/,
    );
    expect(isRulesOption(() => [], 'audit.rules')).to.equal(undefined);
  });
});
