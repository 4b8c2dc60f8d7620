/** What must not be stored is taken out: by key, by look, by being a secret. */
import { expect } from 'chai';
import { createRedactor, redactShape, type RedactOptions, type Redactor } from '../../src/audit/redaction.js';
import { normalise } from '../../src/evidence/normalise.js';
import type { Json } from '../../src/event.js';

const GONE = '[redacted]';
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const BODY = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj';
const PEM = `-----BEGIN RSA PRIVATE KEY-----\n${BODY}\n${BODY}\n-----END RSA PRIVATE KEY-----`;
const HEX = '0123456789abcdef0123456789abcdef';

function redactor(options: RedactOptions = {}, secrets: readonly string[] = []): Redactor {
  return createRedactor({ ...options, secretValues: () => secrets });
}

const plain = redactor();

describe('Redactor.text, by the look of the value', () => {
  const TEXTS: readonly (readonly [name: string, text: string, redacted: string])[] = [
    ['a JWT', `token ${JWT} end`, `token ${GONE} end`],
    ['a JWT that is cut', `x ${JWT.slice(0, 40)}`, `x ${GONE}`],
    ['a JWT inside a path', `/reset/${JWT}/x`, `/reset/${GONE}/x`],
    ['Bearer credentials', 'Authorization: Bearer abc.DEF_123-xyz~+/==', `Authorization: ${GONE}`],
    ['Bearer credentials in any case', 'bEaReR 1|opaque-token-text', GONE],
    ['Basic credentials', `Basic ${Buffer.from('user:pass').toString('base64')}`, GONE],
    ['Basic credentials without digits or padding', 'Basic YWFhOmFh', GONE],
    ['a PEM block', `key:\n${PEM}\nrest`, `key: ${GONE} rest`],
    ['a PEM block with escaped line breaks', PEM.replaceAll('\n', '\\n'), GONE],
    ['a PEM block without its end', `x ${PEM.slice(0, 60)}`, `x ${GONE}`],
    ['a PEM block without its beginning', `${PEM.slice(40)} rest`, `${GONE} rest`],
    ['user info in a URL', 'mongodb+srv://bob:s3cret@db.example/x?y', `mongodb+srv://${GONE}@db.example/x?y`],
    ['a password with a slash in a URL', 'redis://u:p/q?r#s@host:6379/0', `redis://${GONE}@host:6379/0`],
    ['a token as user in a URL', 'https://abcdef@github.com/a/b', `https://${GONE}@github.com/a/b`],
    ['an e-mail address', 'no user alice@example.com here', `no user ${GONE} here`],
    ['an AWS key', 'AKIAIOSFODNN7EXAMPLE', GONE],
    ['a GitHub token', `x=ghp_${HEX}`, `x=${GONE}`],
    ['a GitHub OAuth token', `gho_${HEX}`, GONE],
    ['a fine-grained GitHub token', `github_pat_11ABC_${HEX}`, GONE],
    ['a Stripe key', 'sk_live_4eC39HqLyjWDarjtT1zdp7dc', GONE],
    ['a restricted Stripe key', 'rk_live_4eC39HqLyjWDarjtT1zdp7dc', GONE],
    ['an OpenAI key', 'sk-proj-abcDEF123456789012345', GONE],
    ['a Slack token', 'xoxb-123456789012-abcdefABCDEF', GONE],
    ['a Google key', 'AIzaSyA1234567890abcdefghijklmnopqrstuv', GONE],
    ['a GitLab token', 'glpat-abcdefghij1234567890', GONE],
    ['an npm token', 'npm_abcdefghijklmnopqrstuvwxyz0123456789', GONE],
    ['a SendGrid key', 'SG.abcdefghijklmnop.qrstuvwxyz0123456789', GONE],
    ['a Vault token', 'hvs.CAESIJabcdefghijklmnop', GONE],
    ['a card number', 'pan 4111111111111111.', `pan ${GONE}.`],
    ['a card number with spaces, and its code', '5500 0000 0000 0004 123', `${GONE} 123`],
    ['a card number with dashes', '4111-1111-1111-1111', GONE],
    ['an American Express number', '3782 822463 10005', GONE],
    [
      'a query string',
      '/cb?code=1&access_token=abc&next=/x?password=y',
      `/cb?code=1&access_token=${GONE}&next=/x?password=${GONE}`,
    ],
    ['a form', 'user%5Bpassword%5D=hunter2&user[pin]=1234', `user%5Bpassword%5D=${GONE}&user[pin]=${GONE}`],
    ['JSON text', '{"user":"bob","password":"a\\"b","ok":true}', `{"user":"bob","password":"${GONE}","ok":true}`],
    ['JSON text in JSON text', '{\\"password\\": \\"x\\"}', `{\\"password\\": \\"${GONE}\\"}`],
    ['an inspected object', "{ user: 'bob', apiKey: 'k' }", `{ user: 'bob', apiKey: '${GONE}' }`],
  ];
  for (const [name, text, redacted] of TEXTS)
    it(`takes out ${name}`, () => {
      expect(plain.text(text)).to.equal(redacted);
      expect(plain.text(redacted), 'a second time').to.equal(redacted);
    });

  const KEPT: readonly string[] = [
    'auth.login',
    '203.0.113.7',
    '2001:db8::1',
    '65f1c0ffee65f1c0ffee65f1',
    '6f1c9f1e-1d7c-4f0c-9f6e-1b1c1d1e1f10',
    '12345678-1234-4111-8111-111111111111',
    '01HZX3V9Q2M8N7K6J5H4G3F2E1',
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36',
    '2024-05-06T07:08:09.010Z',
    '1717171717171',
    '1234567890123456789',
    '4111111111111112',
    'the Basic plan, with a bearer token missing',
    'invalid token: expired',
    'https://example.com:8080/path?a=1#b',
    'https://h:8080/x?to=@bob',
    'sk-learn-with-very-many-words',
    'risk-assessment-of-the-whole-company',
    'lodash@4.17.21',
    '/users/:id/role',
    'passwordChanged=true',
    'a = b',
  ];
  for (const text of KEPT) it(`leaves ${text.slice(0, 44)}`, () => expect(plain.text(text)).to.equal(text));

  it('finds no card in times and in numbers that run on', () => {
    const ids = Array.from({ length: 2000 }, (_, index) => [
      `${(1.7e12 + index * 997).toString()}`,
      (2n ** 60n + BigInt(index) * 7919n).toString(),
    ]);
    for (const id of ids.flat()) expect(plain.text(id)).to.equal(id);
  });
});

describe('Redactor.text, by being a secret', () => {
  const SECRET = 'p@ss/w"rd ü+1';
  const one = redactor({}, [SECRET, 'short', 'padded-secret\n']);
  const FORMS = [
    SECRET,
    encodeURIComponent(SECRET),
    encodeURIComponent(SECRET).toLowerCase(),
    JSON.stringify(SECRET).slice(1, -1),
  ];
  const base64 = Buffer.from(SECRET).toString('base64');

  for (const form of [...FORMS, base64, Buffer.from(SECRET).toString('base64url'), 'padded-secret'])
    it(`masks ${form}`, () => expect(one.text(`a ${form} b`)).to.match(/^a \[redacted\]=* b$/));

  it('leaves values of less than 8 characters, in any form', () => {
    expect(redactor({}, ['a b c d']).text('x a%20b%20c%20d y')).to.equal('x a%20b%20c%20d y');
    expect(one.text('a short text')).to.equal('a short text');
  });

  it('prefers the longer of two secrets that begin alike', () => {
    expect(redactor({}, ['password', 'password-and-more']).text('x password-and-more y')).to.equal(`x ${GONE} y`);
  });

  it('masks it in keys too, and keeps keys apart', () => {
    const values = ['alpha-value', 'beta-value'];
    expect(redactor({}, values).meta({ 'alpha-value': 1, 'beta-value': 2 })).to.deep.equal({
      [GONE]: 1,
      [`_${GONE}`]: 2,
    });
  });

  it('sees a new list of values at once', () => {
    let values: readonly string[] = [];
    const changing = createRedactor({ secretValues: () => values });
    expect(changing.text('rotated-value')).to.equal('rotated-value');
    values = ['rotated-value'];
    expect(changing.text('rotated-value')).to.equal(GONE);
    values = [];
    expect(changing.text('rotated-value')).to.equal('rotated-value');
  });
});

describe('Redactor.frequentText', () => {
  it('takes out a value that became a secret after it was seen', () => {
    let values: readonly string[] = [];
    const changing = createRedactor({ secretValues: () => values });
    for (const [secrets, text] of [
      [[], 'rotated-value'],
      [['rotated-value'], GONE],
      [[], 'rotated-value'],
    ] as const) {
      values = secrets;
      expect(changing.frequentText('rotated-value', 64)).to.equal(text);
      expect(changing.frequentText('rotated-value', 64)).to.equal(text);
    }
  });

  it('is the text, whatever was asked before', () => {
    const texts = ['Mozilla/5.0', 'a\nb', 'x'.repeat(300), `Bearer ${HEX}`, 'AKIAIOSFODNN7EXAMPLE', 'é', ''];
    for (const limit of [255, 5, 255, 300])
      for (const text of texts) expect(plain.frequentText(text, limit)).to.equal(plain.text(text, limit));
  });

  it('goes on when there are more texts than it remembers', () => {
    for (let n = 0; n < 3000; n += 1) expect(plain.frequentText(`agent ${n}`, 255)).to.equal(`agent ${n}`);
    expect(plain.frequentText(`token ${JWT}`, 255)).to.equal(`token ${GONE}`);
  });
});

describe('Redactor.meta, by key', () => {
  const AMOUNTS = ['tokens', 'cookies', 'credentials'];
  const SECRET_KEYS =
    'password PASSWORD pass_word newPassword password2 passwordHash passwd pwd passphrase secret clientSecret client-secret secret_id token accessToken refresh_token csrf-token tokens Authorization proxy-authorization cookie Set-Cookie cookies apiKey api_key X-API-KEY apikey privateKey PRIVATE-KEY pin PIN p-i-n userPin loginPin sms_otp admin-pwd user_pin pinCode cvv CVV2 card_cvv cvc credentials'.split(
      ' ',
    );
  for (const key of SECRET_KEYS)
    it(`takes out the value of ${key}`, () => {
      for (const value of ['x', 7.5, ['x'], { a: 1 }] as Json[])
        expect(normalise(plain.meta({ deep: [{ [key]: value }] }))).to.deep.equal(
          typeof value === 'number' && AMOUNTS.includes(key)
            ? { deep: [{ [key]: value }] }
            : { deep: [{ [key]: GONE }] },
        );
    });

  const OPEN_KEYS =
    'shipping pinned opinion spinner secretary tokenizer tokenCount max_tokens tokenType passwordChangedAt password_expires_at apiKeyId secretName cookieName passwordPolicy passenger compass oldRole newRole emailDomain __proto'.split(
      ' ',
    );
  for (const key of OPEN_KEYS)
    it(`leaves the value of ${key}`, () => expect(plain.meta({ [key]: 12 })).to.deep.equal({ [key]: 12 }));

  it('leaves true, false and null', () => {
    const meta = { passwordChanged: true, token: false, secret: null };
    expect(plain.meta(meta)).to.deep.equal(meta);
  });

  it('takes out a card number that is a number', () => {
    expect(plain.meta({ n: 4111111111111111, at: 1717171717171 })).to.deep.equal({ n: GONE, at: 1717171717171 });
  });

  it('cleans keys and texts', () => {
    expect(plain.meta({ 'a\nb': ['x\u202ey'] })).to.deep.equal({ 'a b': ['x\ufffdy'] });
    expect(plain.meta({ 'alice@example.com': 1 })).to.deep.equal({ [GONE]: 1 });
  });

  it('leaves what it was given as it was', () => {
    const meta = { password: 'x', list: ['a@b.co'] };
    plain.meta(meta);
    expect(meta).to.deep.equal({ password: 'x', list: ['a@b.co'] });
  });
});

describe('audit.redact', () => {
  it('adds whole names and patterns of keys', () => {
    const own = redactor({ keys: ['national-id', /^x-/gi] });
    expect(
      own.meta({ nationalId: 1, NATIONAL_ID: true, nationalIdType: 'a', 'x-a': 1, 'X-b': 2, 'x-c': 3 }),
    ).to.deep.equal({
      nationalId: GONE,
      NATIONAL_ID: GONE,
      nationalIdType: 'a',
      'x-a': GONE,
      'X-b': GONE,
      'x-c': GONE,
    });
  });

  it('adds patterns of values, whatever their flags and lastIndex', () => {
    const sticky = /emp-\d+/y;
    sticky.lastIndex = 3;
    const own = redactor({ values: [sticky, /CASE \d+/gi, /z*/] });
    for (let round = 0; round < 3; round += 1)
      expect(own.text('of emp-1 and emp-22 in case 7, buzz')).to.equal(`of ${GONE} and ${GONE} in ${GONE}, bu${GONE}`);
    expect(sticky.lastIndex).to.equal(3);
  });

  const WRONG: Readonly<Record<string, unknown>> = {
    'audit.redact must be an object': [],
    'audit.redact: option "key" is unknown; did you mean "keys"?': { key: [] },
    'audit.redact.keys must be an array': { keys: 'password' },
    'audit.redact.keys[1] must be a name or a RegExp': { keys: ['a', 1] },
    'audit.redact.values[0] must be a RegExp': { values: ['a'] },
  };
  for (const [problem, value] of Object.entries(WRONG))
    it(`says: ${problem}`, () => expect(redactShape(value, 'audit.redact')).to.contain(problem));

  it('accepts what is right', () => {
    for (const value of [{}, { keys: undefined }, { keys: ['a', /b/], values: [/c/] }])
      expect(redactShape(value, 'audit.redact')).to.equal(undefined);
  });
});
