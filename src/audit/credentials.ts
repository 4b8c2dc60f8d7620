/** Masks what looks like a credential in a text: keys, tokens, passwords in URLs, card numbers. It knows no option and no secret's value; its time is linear in the text. */
import { maskEmails } from './email.js';
import { isAmountKey, isSensitiveKey } from './sensitive-keys.js';

/**
 * What any of the detectors below needs to find: most texts hold nothing of it and are done. Three patterns, since one of all of them is
 * four times slower than the three. A detector that is added must be foreseen here.
 */
const MARKED = /[@=]|%40|:\/\/|["']\s{0,3}:|:\s{0,3}["']|----(?:BEGIN|END) |eyJ/;
const SPOKEN = /[bB][eE][aA][rR][eE][rR]\s|[bB][aA][sS][iI][cC]\s|\d{13}|\d{4}[ .\xa0-](?:\d{4}[ .\xa0-]\d|\d{6})/;
const NAMED =
  /A[A-Z]{3}[A-Z0-9]{12}|gh[pousr]_|github_pat_|[srp]k_[lt]|whsec_|sk-|xox|xapp-|AIza|gl[a-z]{2,5}-|npm_|pypi-|hf_|SG\.|dop_v|shp[a-z]{2}_|ya29|hv[sb]\.|ATATT|lin_api|AGE-S/;

/**
 * Tokens whose maker gave them a prefix to be found by. A body shorter than the real one passes too: it may be cut. `(?<!...)`: not in
 * the middle of a word.
 */
const PREFIXED = new RegExp(
  `(?<![A-Za-z0-9])(?:${[
    '(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[A-Z0-9]{12,}', // AWS
    'gh[pousr]_[A-Za-z0-9]{10,}', // GitHub
    'github_pat_[A-Za-z0-9_]{10,}',
    '[srp]k_(?:live|test)_[A-Za-z0-9]{8,}', // Stripe and its imitators
    'whsec_[A-Za-z0-9+/=]{8,}',
    'sk-(?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{16,}', // OpenAI, Anthropic; a digit, since words have none
    'xox[a-z](?:\\.xox[a-z])?-[A-Za-z0-9-]{8,}', // Slack
    'xapp-[A-Za-z0-9-]{8,}',
    'AIza[A-Za-z0-9_-]{20,}', // Google
    'ya29\\.[A-Za-z0-9_-]{10,}',
    'gl(?:pat|ptt|rt|soat|dt|cbt|ft|imt|agent|ffct|oas)-[A-Za-z0-9_.-]{10,}', // GitLab
    'npm_[A-Za-z0-9]{20,}',
    'pypi-[A-Za-z0-9_-]{16,}',
    'hf_[A-Za-z0-9]{20,}', // Hugging Face
    'SG\\.[A-Za-z0-9_-]{10,}(?:\\.[A-Za-z0-9_-]*)?', // SendGrid
    'dop_v1_[a-f0-9]{16,}', // DigitalOcean
    'shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{16,}', // Shopify
    'hv[sb]\\.[A-Za-z0-9_-]{16,}', // HashiCorp Vault
    'ATATT[A-Za-z0-9_=-]{16,}', // Atlassian
    'lin_api_[A-Za-z0-9]{16,}', // Linear
    'AGE-SECRET-KEY-1[A-Z0-9]{16,}',
  ].join('|')})`,
  'g',
);

/** A run of token characters that may hold a JWT. The look-behind makes one try of each run: a run of `eyJeyJ...` costs one pass. */
const TOKEN_RUN = /(?<![\w.-])[\w.-]*eyJ[\w.-]*/g;
const SCHEME = /(?<![A-Za-z0-9])(bearer|basic)\s{1,8}["']?([^\s"',;<>()[\]{}]{4,})/gi;
const BEARER_PROSE =
  /^(?:tokens?|auth(?:entication|ori[sz]ation|enticated)?|scheme|realm|error|header|credentials?|format|method|type|challenge|required|missing|invalid|expired|only|with|from|that|this|must|should|were|does)[.:=]*$/i;
const BASIC_CREDENTIALS = /[0-9=+/]|[a-z][A-Z]/;

/** `//user:password@`; the second form is for passwords with a raw `/`, `?` or `#`, which must not be a port. */
const USER_INFO = /:\/\/(?:[^\s/?#]*@|[^\s/?#:@]{0,256}:(?!\d{1,5}[/?#])[^\s@]{1,256}@)/g;

/** `password=` in a query string, a form or a log line, `"password": ` in JSON, `password: '` in inspected objects. Not `password: ` in prose. */
const ASSIGNED = /(?<![\w.-])([\w.-]{1,64})(?:(?:\]|%5D)?=|\\?["']\s{0,3}[:=]\s{0,3}|\s{0,3}:\s{0,3}(?=\\?["']))/gi;
const ASSIGNED_VALUE = /\\"(?:[^"\\]|\\[^"])*(?:\\")?|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s&;,"'}\]]+/sy;
const LITERAL = /^(?:true|false|null|undefined)$/;

const CARD =
  /(?<![A-Za-z0-9])(?:\d{13,19}|\d{4}[ .\xa0-]\d{4}[ .\xa0-]\d{4}[ .\xa0-]\d{4}(?:[ .\xa0-]\d{3})?|\d{4}[ .\xa0-]\d{6}[ .\xa0-]\d{4,5})(?![A-Za-z0-9])/g;
const FIRST_16 = 19;
// By issuer and length, so that one in ten of all long numbers (ids, times) is not taken for a card.
const CARD_RANGES =
  /^(?:4(?:\d{12}|\d{15}|\d{18})|5\d{15}|(?:5[0678]|6\d)\d{14,17}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}(?:\d\d)?|35\d{14}|2[2-7]\d{14})$/;

const PEM_END = /-----END [A-Z0-9 ]{1,64}-----|$/g;
const PEM_UNIT = /[A-Za-z0-9+/=\s\\]/;

/** The text with what looks like a credential or an e-mail address replaced. */
export function maskCredentials(text: string, mask: string): string {
  if (!MARKED.test(text) && !SPOKEN.test(text) && !NAMED.test(text)) return text;
  const masked = maskPem(text, mask)
    .replace(USER_INFO, `://${mask}@`)
    .replace(SCHEME, (whole, scheme: string, token: string) => (isSchemeToken(scheme, token) ? mask : whole))
    .replace(TOKEN_RUN, (run) => maskJwt(run, mask))
    .replace(PREFIXED, mask)
    .replace(CARD, (number) => maskCard(number, mask));
  return maskEmails(maskAssigned(masked, mask), mask);
}

/** A header, a dot, and whatever follows: a cut JWT is one too. */
function maskJwt(run: string, mask: string): string {
  const start = run.indexOf('eyJ');
  return run.includes('.', start + 4) ? run.slice(0, start) + mask : run;
}

/** Whether a number, written with its separators or without, is one of a payment card: its range, its length and Luhn's check. */
export function isCardNumber(text: string): boolean {
  const digits = text.replace(/[ .\xa0-]/g, '');
  // Printed in groups of four it need not be of a known issuer.
  return (CARD_RANGES.test(digits) || /^\d{4}[^\d]/.test(text)) && passesLuhn(digits);
}

function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

function maskCard(number: string, mask: string): string {
  if (isCardNumber(number)) return mask;
  // A security code may follow the number.
  const first = number.slice(0, FIRST_16);
  return number.length > FIRST_16 && isCardNumber(first) ? mask + number.slice(FIRST_16) : number;
}

/** Prose also says "Bearer token" and "Basic plan"; what a wrong guess costs is one word. */
function isSchemeToken(scheme: string, token: string): boolean {
  if (scheme.toLowerCase() === 'bearer') return !BEARER_PROSE.test(token);
  return BASIC_CREDENTIALS.test(token) || /^[ -~]+:/.test(Buffer.from(token, 'base64').toString('latin1'));
}

/** The values of assignments to sensitive names. Values of other names are not skipped: `next=/reset?token=...` holds one. */
function maskAssigned(text: string, mask: string): string {
  let masked = '';
  let done = 0;
  ASSIGNED.lastIndex = 0;
  for (let found = ASSIGNED.exec(text); found !== null; found = ASSIGNED.exec(text)) {
    const from = ASSIGNED.lastIndex;
    const value = assignedValue(text, { key: found[1] ?? '', from, mask });
    if (value === undefined) continue;
    const quote = /^\\?["']/.exec(value)?.[0] ?? '';
    const isClosed = value.length > quote.length && value.endsWith(quote);
    masked += text.slice(done, from) + quote + mask + (isClosed ? quote : '');
    done = from + value.length;
    ASSIGNED.lastIndex = done;
  }
  return masked + text.slice(done);
}

function assignedValue(text: string, at: { key: string; from: number; mask: string }): string | undefined {
  if (!isSensitiveKey(at.key) || text.startsWith(at.mask, at.from)) return undefined;
  ASSIGNED_VALUE.lastIndex = at.from;
  const value = ASSIGNED_VALUE.exec(text)?.[0];
  const stays = value === undefined || LITERAL.test(value) || (isAmountKey(at.key) && /^\d+$/.test(value));
  return stays ? undefined : value;
}

/** PEM blocks: also without an end (to the end of the text) and without a beginning (back over the base64 before the end). */
function maskPem(text: string, mask: string): string {
  if (!text.includes('-----')) return text;
  let masked = '';
  let done = 0;
  for (let begin = text.indexOf('-----BEGIN '); begin !== -1; begin = text.indexOf('-----BEGIN ', done)) {
    PEM_END.lastIndex = begin;
    PEM_END.exec(text);
    masked += maskPemEnd(text.slice(done, begin), mask) + mask;
    done = Math.max(PEM_END.lastIndex, begin + 1);
  }
  return masked + maskPemEnd(text.slice(done), mask);
}

function maskPemEnd(text: string, mask: string): string {
  let masked = '';
  let done = 0;
  for (let end = text.indexOf('-----END '); end !== -1; end = text.indexOf('-----END ', done)) {
    let start = end;
    while (start > done && PEM_UNIT.test(text[start - 1] as string)) start -= 1;
    PEM_END.lastIndex = end;
    PEM_END.exec(text);
    masked += text.slice(done, start) + mask;
    done = PEM_END.lastIndex;
  }
  return masked + text.slice(done);
}
