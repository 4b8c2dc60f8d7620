/** What counts as production. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { resolveEnvironment } from '../../src/secrets/environment.js';
import { isolateEnvironment, thrown } from './fakes.js';

describe('resolveEnvironment', () => {
  isolateEnvironment();

  for (const value of ['production', 'PRODUCTION', ' Production\n']) {
    it(`takes NODE_ENV=${JSON.stringify(value)} for production, whatever the option says`, () => {
      process.env['NODE_ENV'] = value;
      expect(resolveEnvironment()).to.equal('production');
      expect(resolveEnvironment('test')).to.equal('production');
    });
    it(`takes APP_ENV=${JSON.stringify(value)} for production beside another NODE_ENV`, () => {
      process.env['APP_ENV'] = value;
      process.env['NODE_ENV'] = 'development';
      expect(resolveEnvironment('development')).to.equal('production');
    });
  }

  it('lets the option add production', () => {
    expect(resolveEnvironment('production')).to.equal('production');
  });

  it('prefers the option, then NODE_ENV, then APP_ENV', () => {
    process.env['NODE_ENV'] = 'test';
    process.env['APP_ENV'] = 'development';
    expect(resolveEnvironment('development')).to.equal('development');
    expect(resolveEnvironment()).to.equal('test');
    process.env['NODE_ENV'] = ' ';
    expect(resolveEnvironment()).to.equal('development');
  });

  it('warns once when it has to guess, and not when it was told', async () => {
    // A process of its own: another test of this one may have guessed before.
    const source = resolve('src/secrets/environment.ts');
    const script = `
      import { resolveEnvironment } from ${JSON.stringify(source)};
      console.log(resolveEnvironment('test'), resolveEnvironment(), resolveEnvironment());`;
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--import=tsx', '--input-type=module', '--eval', script],
      { env: { PATH: process.env['PATH'], NODE_ENV: '', APP_ENV: 'staging' } },
    );
    expect(stdout).to.equal('test development development\n');
    expect(stderr.match(/STRONGROOM_ENVIRONMENT_GUESSED/g)).to.have.length(1);
  });

  it('refuses an unknown name', () => {
    expect(thrown(() => resolveEnvironment('prod' as 'production')).message).to.match(
      /^environment must be one of production/,
    );
  });
});
