/** Security headers: by default only those that cannot break a page. */
import { expect } from 'chai';
import express from 'express';
import request from 'supertest';
import { OptionsError } from '../../src/errors.js';
import { createHeaders, type HeadersOption, isHeadersOption } from '../../src/http/headers.js';
import { closeAll, createRoom } from './app.js';

const BREAKING = [
  'content-security-policy',
  'strict-transport-security',
  'cross-origin-opener-policy',
  'cross-origin-resource-policy',
  'cross-origin-embedder-policy',
];

async function headersOf(helmet: HeadersOption): Promise<Record<string, string>> {
  const app = express();
  app.use(createRoom({ helmet }).middleware);
  app.get('/', (_req, res) => void res.end());
  return (await request(app).get('/').expect(200)).headers;
}

describe('Security headers', () => {
  afterEach(closeAll);

  it('are none when the option is false', async () => {
    expect(createHeaders(false)).to.equal(null);
    expect(await headersOf(false)).not.to.have.property('x-content-type-options');
  });

  it('are helmet’s own when it is true', async () => {
    expect(await headersOf(true)).to.include.keys('content-security-policy', 'strict-transport-security');
  });

  it('are those of helmet with the options given', async () => {
    const headers = await headersOf({ contentSecurityPolicy: false, frameguard: { action: 'deny' } });
    expect(headers).to.include({ 'x-frame-options': 'DENY' });
    expect(headers).to.include.keys('strict-transport-security');
    expect(headers).not.to.have.property('content-security-policy');
  });

  it('pass on what a function among the options throws', async () => {
    const app = express();
    const scriptSrc = (): never => {
      throw new Error('no nonce');
    };
    app.set('env', 'test');
    app.use(createRoom({ helmet: { contentSecurityPolicy: { directives: { scriptSrc: [scriptSrc] } } } }).middleware);
    await request(app).get('/').expect(500);
  });

  it('are refused at construction when helmet does not know an option or its value', () => {
    expect(isHeadersOption({ frameGuard: true }, 'helmet')).to.equal(
      'helmet: option "frameGuard" is unknown; did you mean "frameguard"?',
    );
    expect(isHeadersOption('on', 'helmet')).to.match(/^helmet must be true, false/);
    expect(isHeadersOption({ hsts: false }, 'helmet')).to.equal(undefined);
    expect(() => createHeaders({ frameguard: { action: 'allow-from' as never } })).to.throw(OptionsError, /^helmet: /);
  });
});

describe('The default security headers', () => {
  afterEach(closeAll);

  it('cannot break a page', async () => {
    const app = express();
    app.use(createHeaders(undefined) as express.RequestHandler);
    app.get('/', (_req, res) => void res.end());
    const { headers } = await request(app).get('/');
    expect(headers).to.include({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' });
    expect(headers).not.to.include.any.keys(...BREAKING);
    expect(headers).not.to.have.property('x-powered-by');
  });
});
