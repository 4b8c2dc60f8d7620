/** E-mail addresses: whether a text is one, its domain, and masking those inside a text. In time linear in the text. */

const HOST_NAME = /^[\p{L}\p{M}\p{Nd}-]+(?:\.[\p{L}\p{M}\p{Nd}-]+)*$/u;
const MAX_HOST_NAME = 253;
const MAX_ADDRESS = 320;
const LOCAL_PART = /^(?:"[^"]{1,64}"|[^\s@"<>]+(?:@[^\s@"<>]+)*)$/;
// A last label of letters keeps package@1.2.3 out.
const MAIL_DOMAIN =
  /^(?:[\p{L}\p{M}\p{N}-]{1,63}\.){1,10}(?:\p{L}[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}]|xn--[\w-]+|\p{L})\.?$|^\[[\d.]{7,15}\]$|^\[IPv6:[\da-f:.]{2,45}\]$/iu;

const AT_SIGN = /@|%40/g;
const DOMAIN_AFTER =
  /(?:[\p{L}\p{M}\p{N}-]{1,63}\.){1,10}[\p{L}\p{M}\p{N}-]{1,63}|\[[\d.]{7,15}\]|\[IPv6:[\da-f:.]{2,45}\]/iuy;
const LETTER_LABEL = /\.\p{L}/u;
// Of what RFC 5322 allows in a local part, `/ = ? & #` and braces stay out: in a text they part it from what stands before.
const LOCAL_UNIT = /[\p{L}\p{M}\p{N}.!$%'*+\-^_`|~\ud800-\udfff]/u;
const QUOTE_REACH = 66;

/** Whether the whole text is an e-mail address: `alice@example.com`, also percent-encoded, with `mailto:`, of any script. */
export function isEmail(text: string): boolean {
  if (text.length > MAX_ADDRESS + 16) return false;
  const address = text
    .trim()
    .replace(/^mailto:/i, '')
    .replaceAll('%40', '@');
  const at = address.lastIndexOf('@');
  return at > 0 && LOCAL_PART.test(address.slice(0, at)) && MAIL_DOMAIN.test(address.slice(at + 1));
}

/**
 * The domain of an address for `meta.emailDomain`: what follows the last `@`, trimmed, lower case, if it is a host name (letters of any
 * script, digits, `.`, `-`, at most 253); anything else, and any type but text, is `unknown`.
 */
export function emailDomain(value: unknown): string {
  if (typeof value !== 'string' || !value.includes('@')) return 'unknown';
  const domain = value
    .slice(value.lastIndexOf('@') + 1)
    .trim()
    .toLowerCase();
  return domain.length <= MAX_HOST_NAME && HOST_NAME.test(domain) ? domain : 'unknown';
}

/** The text with each address in it replaced. */
export function maskEmails(text: string, mask: string): string {
  let masked = '';
  let done = 0;
  AT_SIGN.lastIndex = 0;
  for (let at = AT_SIGN.exec(text); at !== null; at = AT_SIGN.exec(text)) {
    const end = endOfDomain(text, AT_SIGN.lastIndex);
    const start = end === undefined ? at.index : startOfLocal(text, at.index, done);
    if (end === undefined || start === at.index) continue;
    masked += text.slice(done, start) + mask;
    done = end;
    AT_SIGN.lastIndex = end;
  }
  return masked + text.slice(done);
}

function endOfDomain(text: string, from: number): number | undefined {
  DOMAIN_AFTER.lastIndex = from;
  const domain = DOMAIN_AFTER.exec(text)?.[0];
  if (domain === undefined) return undefined;
  // package@1.2.3-beta is no address: a label after the first must begin with a letter.
  return domain.startsWith('[') || LETTER_LABEL.test(domain) ? from + domain.length : undefined;
}

/** Each walk ends where the last masked address ended, at the latest: all of them together pass the text once. */
function startOfLocal(text: string, at: number, floor: number): number {
  if (text[at - 1] === '"') {
    const open = text.lastIndexOf('"', at - 2);
    return open >= Math.max(floor, at - QUOTE_REACH) ? open : at;
  }
  let start = at;
  while (start > floor && LOCAL_UNIT.test(text[start - 1] as string)) start -= 1;
  return start;
}
