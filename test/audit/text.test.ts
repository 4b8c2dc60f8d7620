/** No stored text breaks a line, reverses one, hides a character or holds half of one. */
import { expect } from 'chai';
import fc from 'fast-check';
import { cleanText } from '../../src/audit/text.js';

const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String.fromCharCode(from + index));

const SPACES = ['\t', '\n', '\v', '\f', '\r', '\u0085', '\u2028', '\u2029'];
const HIDDEN = [
  ...range(0, 0x1f),
  ...range(0x7f, 0x9f),
  ...range(0x200b, 0x200f),
  ...range(0x202a, 0x202e),
  ...range(0x2060, 0x206f),
  '\u00ad',
  '\u061c',
  '\u180e',
  '\ufeff',
].filter((character) => !SPACES.includes(character));

describe('cleanText', () => {
  it('turns tabs and line breaks into spaces', () => {
    for (const space of SPACES) expect(cleanText(`a${space}b`, 9), JSON.stringify(space)).to.equal('a b');
  });

  it('turns control, bidi and invisible characters into U+FFFD', () => {
    for (const hidden of HIDDEN) expect(cleanText(`a${hidden}b`, 9), JSON.stringify(hidden)).to.equal('a\ufffdb');
  });

  it('leaves text of any script, spaces, dashes and emoji as it is', () => {
    for (const text of ['', 'auth.login', 'Zoë Ω 漢字 עברית عربي', 'a\u00a0b – “c”', '\ud83d\ude00'])
      expect(cleanText(text, 99)).to.equal(text);
  });

  it('cuts at the length without splitting a pair', () => {
    expect(cleanText('abcdef', 3)).to.equal('abc');
    expect(cleanText('ab\ud83d\ude00', 3)).to.equal('ab');
    expect(cleanText('ab\ud83d\ude00', 4)).to.equal('ab\ud83d\ude00');
    expect(cleanText('\u0000abc', 2)).to.equal('\ufffda');
    expect(cleanText('abc', 0)).to.equal('');
    expect(cleanText('x'.repeat(1e6), 255)).to.equal('x'.repeat(255));
  });

  it('gives well-formed text, and the same when cleaned again', () => {
    const anyText = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) });
    fc.assert(
      fc.property(anyText, fc.nat(20), (text, length) => {
        const clean = cleanText(text, length);
        expect(clean.length).to.be.at.most(length);
        expect(Buffer.from(clean).toString()).to.equal(clean);
        expect(cleanText(clean, length)).to.equal(clean);
      }),
    );
  });
});
