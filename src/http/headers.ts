/** Security headers, by helmet. It knows nothing of secrets and events. */
import type { RequestHandler } from 'express';
import helmet, { type HelmetOptions } from 'helmet';
import { OptionsError } from '../errors.js';
import { type Check, isRecord, kindOf, unknownName } from '../settings.js';

/**
 * `true`: helmet's own defaults; `false`: no headers; an object: helmet with these options.
 * @defaultValue helmet without those of its headers that can break a page: CSP, HSTS, COOP, CORP
 */
export type HeadersOption = HelmetOptions | boolean;

/** What can break a page that worked before: it is for the app to decide. */
const HARMLESS: HelmetOptions = {
  contentSecurityPolicy: false,
  strictTransportSecurity: false,
  crossOriginOpenerPolicy: false,
  crossOriginResourcePolicy: false,
};

type AllKeys<Union> = Union extends unknown ? keyof Union : never;

/** The compiler keeps the list complete. */
const HELMET_NAMES: readonly string[] = Object.keys({
  contentSecurityPolicy: 0,
  crossOriginEmbedderPolicy: 0,
  crossOriginOpenerPolicy: 0,
  crossOriginResourcePolicy: 0,
  originAgentCluster: 0,
  referrerPolicy: 0,
  strictTransportSecurity: 0,
  hsts: 0,
  xContentTypeOptions: 0,
  noSniff: 0,
  xDnsPrefetchControl: 0,
  dnsPrefetchControl: 0,
  xDownloadOptions: 0,
  ieNoOpen: 0,
  xFrameOptions: 0,
  frameguard: 0,
  xPermittedCrossDomainPolicies: 0,
  permittedCrossDomainPolicies: 0,
  xPoweredBy: 0,
  hidePoweredBy: 0,
  xXssProtection: 0,
  xssFilter: 0,
} satisfies Record<AllKeys<HelmetOptions>, 0>);

/** Passes true, false, and an object that has only names that helmet knows: helmet itself ignores the others. */
export const isHeadersOption: Check = (value, path) => {
  if (typeof value === 'boolean') return undefined;
  if (!isRecord(value)) return `${path} must be true, false or helmet's options, got ${kindOf(value)}`;
  const stranger = Object.keys(value).find((key) => !HELMET_NAMES.includes(key));
  return stranger === undefined ? undefined : `${path}: option ${unknownName(stranger, HELMET_NAMES)}`;
};

/**
 * The handler that sets the headers; null for none.
 * @throws {@link OptionsError} OPTIONS_INVALID when helmet refuses its options.
 */
export function createHeaders(option: HeadersOption | undefined): RequestHandler | null {
  if (option === false) return null;
  try {
    return helmet(option === true ? {} : (option ?? HARMLESS));
  } catch (error) {
    throw new OptionsError(`helmet: ${error instanceof Error ? error.message : 'its options were refused'}`);
  }
}
