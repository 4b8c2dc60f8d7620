/** E-mail addresses are recognised, reduced to their domain, and taken out of texts. */
import { expect } from 'chai';
import { emailDomain, isEmail, maskEmails } from '../../src/audit/email.js';

describe('isEmail', () => {
  const ADDRESSES = [
    'alice@example.com',
    ' Alice.O+tag@Mail.Example.co.uk ',
    'mailto:a@b.io',
    'alice%40example.com',
    '"john doe"@example.com',
    'юзер@пример.рф',
    '用户@例子.公司',
    'a@xn--e1afmkfd.xn--p1ai',
    'a@[192.0.2.1]',
    "o'brien@example.ie",
    'a@b@example.com',
  ];
  const OTHERS = [
    '',
    '@',
    'alice',
    '@example.com',
    'alice@',
    'a b@example.com',
    'lodash@4.17.21',
    'me@localhost',
    '65f1c0ffee65f1c0ffee65f1',
    'see alice@example.com',
    `${'a'.repeat(400)}@example.com`,
  ];
  for (const address of ADDRESSES) it(`takes ${address}`, () => expect(isEmail(address)).to.equal(true));
  for (const other of OTHERS) it(`leaves ${other.slice(0, 40)}`, () => expect(isEmail(other)).to.equal(false));
});

describe('emailDomain', () => {
  const DOMAINS: readonly (readonly [input: unknown, domain: string])[] = [
    ['alice@example.com', 'example.com'],
    ['alice@Example.COM  ', 'example.com'],
    ['a@b@example.com', 'example.com'],
    ['юзер@Пример.рф', 'пример.рф'],
    ['a@localhost', 'localhost'],
    ['a@sub-1.example.com', 'sub-1.example.com'],
    [`a@${'x.'.repeat(126)}y`, `${'x.'.repeat(126)}y`],
    [`a@${'x.'.repeat(127)}y`, 'unknown'],
    ['alice', 'unknown'],
    ['example.com', 'unknown'],
    ['alice@', 'unknown'],
    ['a@b c', 'unknown'],
    ['a@<script>', 'unknown'],
    ['a@b..c', 'unknown'],
    ['a@.b', 'unknown'],
    ['a@b/c', 'unknown'],
    ['a@$ne', 'unknown'],
    ['a@b\u202ec', 'unknown'],
    ['', 'unknown'],
    [undefined, 'unknown'],
    [null, 'unknown'],
    [7, 'unknown'],
    [{ $ne: '' }, 'unknown'],
    [['a@b.c'], 'unknown'],
  ];
  for (const [input, domain] of DOMAINS)
    it(`of ${JSON.stringify(input)?.slice(0, 40)} is ${domain.slice(0, 40)}`, () =>
      expect(emailDomain(input)).to.equal(domain));
});

describe('maskEmails', () => {
  const TEXTS: readonly (readonly [text: string, masked: string])[] = [
    ['from alice@example.com, to bob.b+x@mail.example.org.', 'from *, to *.'],
    ['?email=alice%40example.com&x=1', '?email=*&x=1'],
    ['Alice <alice@example.com>', 'Alice <*>'],
    ['"john doe"@example.com', '*'],
    ['юзер@пример.рф!', '*!'],
    ['/users/alice@example.com/role', '/users/*/role'],
    ['a@b.co@c.de', '*@c.de'],
    [`${'a'.repeat(300)}@example.com`, '*'],
    ['a@[IPv6:2001:db8::1] x', '* x'],
    ['lodash@4.17.21 and @scope/name and a @ b', 'lodash@4.17.21 and @scope/name and a @ b'],
  ];
  for (const [text, masked] of TEXTS)
    it(`leaves of "${text.slice(0, 40)}" "${masked}"`, () => expect(maskEmails(text, '*')).to.equal(masked));
});
