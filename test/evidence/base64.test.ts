/** Strict base64: one text for the same bytes. */
import { expect } from 'chai';
import fc from 'fast-check';
import { decodeBase64 } from '../../src/evidence/base64.js';

describe('decodeBase64', () => {
  it('reads what encoding gives', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decodeBase64(Buffer.from(bytes).toString('base64'))).to.deep.equal(Buffer.from(bytes));
      }),
    );
  });

  for (const text of ['QQ', 'QQ=', 'QR==', 'QQ==\n', ' QQ==', 'Q Q==', 'QQ==QQ==', '-_-_', 'QUI', 'QUJ=', 'é', '='])
    it(`refuses ${JSON.stringify(text)}: it is not what its bytes encode to`, () => {
      expect(decodeBase64(text)).to.equal(undefined);
    });
});
