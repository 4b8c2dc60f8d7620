/** Redaction of texts that are too long, and of texts made to keep it busy. */
import { expect } from 'chai';
import { canonicalText } from '../../src/evidence/line.js';
import { normalise, SNAPSHOT_LIMITS } from '../../src/evidence/normalise.js';
import { createRedactor, type Redactor } from '../../src/audit/redaction.js';

const GONE = '[redacted]';
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const BODY = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj';
const PEM = `-----BEGIN RSA PRIVATE KEY-----\n${BODY}\n${BODY}\n-----END RSA PRIVATE KEY-----`;

function redactor(secrets: readonly string[]): Redactor {
  return createRedactor({ secretValues: () => secrets });
}

describe('a cut', () => {
  const SECRET = 'S3cr3t-'.repeat(20);
  const withSecret = redactor([SECRET]);
  const tokens = { SECRET, JWT, PEM, card: '4111111111111111', mail: 'alice.longname@example.com' };

  for (const [name, token] of Object.entries(tokens))
    it(`leaves no half of it in a text: ${name}`, () => {
      for (let kept = 0; kept <= token.length; kept += 3) {
        const text = withSecret.text(`${'x'.repeat(255 - kept)} ${token} and so on`, 256);
        expect(text).to.have.length.at.most(256);
        expect(text).to.match(/^x+ (?:\[(?:r(?:e(?:d(?:a(?:c(?:t(?:e(?:d(?:\].*)?)?)?)?)?)?)?)?)?)?$/);
      }
    });

  for (const [name, token] of Object.entries(tokens))
    it(`leaves no half of it where even the slack ends: ${name}`, () => {
      // What stands before it shrinks: so what stood far beyond the limit moves up to it.
      const shrinking = `sk_live_${'0'.repeat(840)} `.repeat(5);
      const reach = 256 + 4096;
      for (let kept = 1; kept < Math.min(token.length, 100); kept += 5) {
        const filler = 'x'.repeat(reach - shrinking.length - 1 - kept);
        const seen = withSecret.text(`${shrinking}${filler} ${token}`.slice(0, reach), 256);
        expect(seen).to.match(/^(?:\[redacted\] )*x*(?: (?:\[[redact]*\]?)?)?$/);
      }
    });

  it('marks a text of meta that was cut, also when redaction made it short', () => {
    const value = `${`sk_live_${'0'.repeat(1000)} `.repeat(30)}${'y'.repeat(5000)}`;
    const meta = withSecret.meta(normalise({ value }, SNAPSHOT_LIMITS)) as { value: string };
    expect(meta.value).to.match(/^(?:\[redacted\] ?)+\[cut\]$/);
  });

  it('leaves no half of it in meta: snapshot, redaction and what is stored agree', () => {
    const shrinking = `${JWT} `.repeat(150);
    for (const length of [16_384, 20_480, 20_490]) {
      const value = `${shrinking}${'x'.repeat(length - shrinking.length - 70)}${SECRET} ${'y'.repeat(9000)}`;
      const stored = canonicalText(normalise(withSecret.meta(normalise({ value, [value]: 1 }, SNAPSHOT_LIMITS))));
      expect(stored).not.to.contain('S3c').and.not.contain('eyJ');
      expect(stored).to.contain('[cut]"');
    }
  });

  it('masks a secret that is longer than the slack and cut by it', () => {
    const long = Array.from({ length: 900 }, (_, index) => `part${index}`).join('-');
    expect(redactor([long]).text(`${'x'.repeat(100)} ${long}`, 200)).to.equal(`${'x'.repeat(100)} ${GONE}`);
  });
});

describe('hostile text', () => {
  const PARTS = [
    'a',
    'a@',
    '@',
    '%40',
    'a%40b.co',
    'eyJ',
    'eyJa.',
    'sk-',
    'sk-a',
    '-----BEGIN ',
    '-----END ',
    '-----END x----- ',
    '://',
    '://a:',
    '://a:b',
    'bearer ',
    'basic ',
    '1 ',
    '4111 ',
    '1234',
    'a=',
    'password=',
    '"password":',
    '"password":"',
    '\\"password\\":\\"',
    '"',
    '"@',
    'glpat-',
    'xox',
    'AKIA',
    'a.',
    'a-',
    '.-_',
    'user:pass@',
    '\\\\"',
    GONE,
    'x.y@z.w ',
    '\u00e9',
    '\ud83d\ude00@',
    "'",
    ': "',
    'same-secret-',
    'A',
    'SG.',
    '%5D=',
  ];
  const own = redactor(['same-secret-same-secret-X', 'aaaaaaaaaaaaaaaaaaaaaaaX']);
  for (const part of PARTS)
    it(`is scanned in linear time: ${JSON.stringify(part)}`, function scan() {
      // Quadratic would be minutes, linear is milliseconds: no clock is needed to tell them apart.
      this.timeout(10_000);
      const text = part.repeat(Math.ceil(1_000_000 / part.length));
      expect(own.text(text, text.length)).to.be.a('string');
    });
});
