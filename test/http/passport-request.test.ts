/** What is heard of `req.logIn` and `req.logOut`, word by word. */
import { expect } from 'chai';
import { createPassportListener, type PassportWord } from '../../src/http/passport-request.js';

type Callback = (error?: unknown) => unknown;

/** As passport leaves a request; what the methods do is up to each test. */
function createRequest(methods: { logIn?: (...args: any[]) => unknown; logOut?: (...args: any[]) => unknown }): any {
  // The callback is the last argument, where there is one.
  const call = (args: any[]): unknown => args.findLast((arg) => typeof arg === 'function')?.();
  const { logIn = (...args) => call(args), logOut = (...args) => call(args) } = methods;
  return { _sessionManager: {}, user: 'alice', logIn, login: logIn, logOut, logout: logOut };
}

function listenTo(req: object): PassportWord[] {
  const words: PassportWord[] = [];
  const listen = createPassportListener((_req, word) => void words.push(word));
  listen(req);
  listen(req);
  return words;
}

describe('What is heard of passport on a request', () => {
  it('is one word for each call, however often it was asked to listen, under both names', () => {
    const req = createRequest({});
    const words = listenTo(req);
    expect(req.login).to.equal(req.logIn);
    req.logIn('bob', {}, () => undefined);
    req.logout({}, () => undefined);
    expect(words).to.deep.equal([
      { said: 'logged-in', user: 'bob', isKept: true },
      { said: 'logged-out', user: 'alice' },
    ]);
  });

  it('changes nothing of the call: receiver, arguments, result, what the callback gets', () => {
    const calls: unknown[] = [];
    const logIn = function (this: unknown, ...args: any[]) {
      const [user, options, done] = args;
      calls.push(this, user, options, done(null, 'info'));
      return 'result';
    };
    const req = createRequest({ logIn });
    listenTo(req);
    const options = { keepSessionInfo: true };
    expect(req.logIn('bob', options, (...given: unknown[]) => given)).to.equal('result');
    expect(calls).to.deep.equal([req, 'bob', options, [null, 'info']]);
  });

  it('is told before the app is, and once when the callback of the app throws', () => {
    const req = createRequest({ logIn: (_user, done: Callback) => done() });
    const words = listenTo(req);
    const act = (): unknown =>
      req.logIn('bob', () => {
        expect(words).to.have.length(1);
        throw new Error('of the app');
      });
    expect(act).to.throw('of the app');
    expect(words).to.deep.equal([{ said: 'logged-in', user: 'bob', isKept: true }]);
  });

  it('is an error that is given, or thrown', () => {
    const error = new Error('no store');
    const req = createRequest({
      logIn: (_user, _options, done: Callback) => done(error),
      logOut: () => {
        throw error;
      },
    });
    const words = listenTo(req);
    req.logIn('bob', { session: false }, () => undefined);
    expect(() => req.logOut()).to.throw('no store');
    expect(words).to.deep.equal([
      { said: 'login-broke', error, isKept: false },
      { said: 'logout-broke', user: 'alice', error },
    ]);
  });

  it('takes a call without a callback for done when it returns', () => {
    const req = createRequest({});
    const words = listenTo(req);
    req.logIn('bob', { session: false });
    req.logOut();
    expect(words).to.deep.equal([
      { said: 'logged-in', user: 'bob', isKept: false },
      { said: 'logged-out', user: 'alice' },
    ]);
  });

  it('finds who leaves where passport was told to keep them', () => {
    const req = createRequest({});
    Object.assign(req, { _userProperty: 'account', account: 'carol' });
    const words = listenTo(req);
    req.logOut(() => undefined);
    expect(words).to.deep.equal([{ said: 'logged-out', user: 'carol' }]);
  });

  it('is nothing on a request without these methods, or one that is frozen', () => {
    expect(listenTo({})).to.deep.equal([]);
    const frozen = Object.freeze(createRequest({}));
    const words = listenTo(frozen);
    frozen.logIn('bob', {}, () => undefined);
    expect(words).to.deep.equal([]);
  });
});
