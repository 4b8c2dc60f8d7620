/** Keys in the text form of Go's note package: its own example, what is refused, and that no refusal shows the key. */
import { createPublicKey, verify } from 'node:crypto';
import { expect } from 'chai';
import { generateKey, isKeyName, readSigningKey, readVerifierKey, readVerifierKeys } from '../../src/evidence/keys.js';
import { OptionsError } from '../../src/errors.js';

/** From the examples of golang.org/x/mod/sumdb/note. */
const SIGNING = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
const VKEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const SIGNATURE = 'x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=';
const SECRET_PART = 'EKFALVFGyNhPJEMzD1QIDr';

function refusal(read: () => unknown): OptionsError {
  try {
    read();
  } catch (error) {
    expect(error).to.be.instanceOf(OptionsError);
    return error as OptionsError;
  }
  throw new Error('it was taken');
}

describe('evidence/keys', () => {
  it("reads and signs Go's example as Go does", async () => {
    const signer = readSigningKey(`${SIGNING}\n`, 'key');
    expect(signer.vkey).to.equal(VKEY);
    const signature = Buffer.from(SIGNATURE, 'base64');
    expect(Buffer.from(await signer.sign(Buffer.from(TEXT)))).to.deep.equal(signature.subarray(4));
    const key = readVerifierKey(VKEY, 'key');
    expect(key).to.include({ name: 'PeterNeumann', id: 'c74f20a3', until: undefined });
    expect(signature.subarray(0, 4).toString('hex')).to.equal(key.id);
    expect(verify(null, Buffer.from(TEXT), key.publicKey, signature.subarray(4))).to.equal(true);
  });

  it('makes keys that it reads, each another one', async () => {
    const { signingKey, vkey } = generateKey('audit.example.com/prod');
    const signer = readSigningKey(signingKey, 'key');
    expect(signer.vkey).to.equal(vkey);
    expect(vkey).to.match(/^audit\.example\.com\/prod\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$/);
    expect(generateKey('audit.example.com/prod').vkey).to.not.equal(vkey);
    const message = Buffer.from('a message');
    const { publicKey } = readVerifierKey(vkey, 'key');
    expect(
      verify(
        null,
        message,
        createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })),
        await signer.sign(message),
      ),
    ).to.equal(true);
  });

  const BAD_SIGNING: Readonly<Record<string, string>> = {
    'an empty text': '',
    'a cut one': SIGNING.slice(0, -4),
    'a longer one': `${SIGNING}AAAA`,
    'one without its head': SIGNING.slice('PRIVATE+KEY+'.length),
    'another id': SIGNING.replace('c74f20a3', 'c74f20a4'),
    'an id in capitals': SIGNING.replace('c74f20a3', 'C74F20A3'),
    'another name': SIGNING.replace('PeterNeumann', 'PeterNewman'),
    'another algorithm': SIGNING.replace('+AYEK', '+AoEK'),
    'another seed': SIGNING.replace(SECRET_PART, `X${SECRET_PART.slice(1)}`),
    'base64 that does not re-encode': SIGNING.replace('KDFz', 'KDF/='),
    'a space in it': SIGNING.replace(SECRET_PART, `${SECRET_PART} `),
    'a vkey': VKEY,
    'quotes around it': `"${SIGNING}"`,
    'two of them': `${SIGNING}\n${SIGNING}`,
  };
  for (const [what, text] of Object.entries(BAD_SIGNING))
    it(`refuses as signing key ${what}, and does not show it`, () => {
      const { message, stack, cause, code } = refusal(() => readSigningKey(text, 'secret AUDIT_SIGNING_KEY'));
      expect(code).to.equal('ERR_STRONGROOM_OPTIONS_INVALID');
      expect(message).to.contain('secret AUDIT_SIGNING_KEY').and.not.contain(SECRET_PART.slice(1, 9));
      expect(`${stack} ${String(cause)}`).to.not.contain(SECRET_PART.slice(1, 9));
    });

  const BAD_VKEYS: Readonly<Record<string, string>> = {
    'an empty text': '',
    'a cut one': VKEY.slice(0, -1),
    'another id': VKEY.replace('c74f20a3', '00000000'),
    'another name': VKEY.replace('Peter', 'Petra'),
    'a key of another length (from the tests of Go)':
      'PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==',
    'an unknown algorithm (from the tests of Go)': 'PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    'base64 that does not re-encode': `${VKEY.slice(0, -1)}X=`,
    'until without a number': `${VKEY} until=`,
    'until with a sign': `${VKEY} until=+5`,
    'until with zeros in front': `${VKEY} until=05`,
    'until with a fraction': `${VKEY} until=5.5`,
    'until beyond safe numbers': `${VKEY} until=9007199254740993`,
    'until in another case': `${VKEY} Until=5`,
    'something else behind it': `${VKEY} until=5 until=6`,
  };
  for (const [what, text] of Object.entries(BAD_VKEYS))
    it(`refuses as vkey ${what}`, () => {
      expect(refusal(() => readVerifierKey(text, 'keys[0]')).message).to.contain('keys[0]');
    });

  it('refuses a signing key where a vkey belongs, and does not show it', () => {
    const { message } = refusal(() => readVerifierKeys([SIGNING], 'keys'));
    expect(message).to.contain('keys (line 1)').and.not.contain(SECRET_PART.slice(1, 9));
  });

  it('reads until, the size of the log', () => {
    expect(readVerifierKey(`  ${VKEY}\t until=12345 `, 'key').until).to.equal(12_345);
    expect(readVerifierKey(`${VKEY} until=0`, 'key').until).to.equal(0);
  });

  it('reads files of keys: comments, empty lines, line ends of Windows, the same key twice', () => {
    const other = generateKey('PeterNeumann').vkey;
    const text = `# ours\r\n${VKEY} until=7 # retired in May\r\n\r\n   # none\n${other}\n`;
    const keys = readVerifierKeys([text, other, `${VKEY} until=7`], 'keys');
    expect(keys.map(({ id, until }) => [id, until])).to.deep.equal([
      ['c74f20a3', 7],
      [other.split('+')[1], undefined],
    ]);
  });

  it('refuses a file without keys, or with two ends of one key', () => {
    expect(refusal(() => readVerifierKeys(['# none\n'], 'keys')).message).to.contain('at least one');
    expect(refusal(() => readVerifierKeys([], 'keys')).message).to.contain('at least one');
    const { message } = refusal(() => readVerifierKeys([`${VKEY}\n${VKEY} until=5`], 'keys'));
    expect(message).to.contain('line 2');
  });

  it('takes for a name what a line of a note can hold, and nothing else', () => {
    for (const name of ['a', 'localhost/audit_events', 'ä.example/😀', 'x'.repeat(255)])
      expect(isKeyName(name), name).to.equal(true);
    const bad = [
      '',
      'a b',
      'a+b',
      'a\nb',
      'a\tb',
      'a\u00a0b',
      'a\u3000',
      'a\u2028',
      '\ufeffa',
      '\ud800',
      'a\0',
      '#a',
      'x'.repeat(256),
    ];
    for (const name of bad) {
      expect(isKeyName(name), JSON.stringify(name)).to.equal(false);
      expect(refusal(() => generateKey(name)).message).to.contain('name of a log');
    }
  });
});
