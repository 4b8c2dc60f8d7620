/** IP addresses: validated, unmapped, truncated or left out. Pure text; it opens no socket. */
import { isIP } from 'node:net';

/** How much of an address is kept: all, the network (/24 or /48), nothing. */
export type AddressPolicy = 'full' | 'truncated' | 'none';

/** The address as it is stored: `::ffff:` unmapped, IPv6 zone dropped; null for anything that is no IP address. */
export function readAddress(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > 64) return null;
  const plain = value.replace(/%.*$/, '');
  const unmapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1] ?? plain;
  return isIP(unmapped) === 0 ? null : unmapped;
}

/** Applies the policy to a validated address. */
export function limitAddress(address: string | null, policy: AddressPolicy): string | null {
  if (address === null || policy === 'full') return address;
  if (policy === 'none') return null;
  return isIP(address) === 4 ? address.replace(/\.\d+$/, '.0') : truncateV6(address, 3);
}

/** Which client an address stands for: itself, or of IPv6 its /64, since one host may use all addresses in there. */
export function clientOf(address: string): string {
  return isIP(address) === 6 ? truncateV6(address, 4) : address;
}

/** Keeps the first groups of 16 bits. The URL parser writes every spelling of an address in one form. */
function truncateV6(address: string, count: number): string {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right].slice(0, count);
  // Through the parser once more, so that equal networks are equal text.
  return new URL(`http://[${groups.join(':')}::]`).hostname.slice(1, -1);
}
