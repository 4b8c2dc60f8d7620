/** All tests that drive a room with a trail over HTTP, run once more in a process whose database user may find and insert, and nothing else. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';

const run = promisify(execFile);
const FILES = ['test/strongroom.test.ts', 'test/http/one-act.test.ts'];

interface Results {
  passes: { fullTitle: string }[];
  pending: { fullTitle: string }[];
  failures: { fullTitle: string; err: { message: string } }[];
}

describe('the HTTP tests as the appender', function suite() {
  this.timeout(120_000);
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-appender-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function runAs(user: string): Promise<Results> {
    const output = join(folder, 'results.json');
    const mocha = resolve('node_modules/mocha/bin/mocha.js');
    const options = ['--no-config', '--require', 'tsx'];
    const report = ['--reporter', 'json', '--reporter-option', `output=${output}`];
    const env = { ...process.env, STRONGROOM_TEST_USER: user };
    // What fails stands in the results.
    await run(process.execPath, [mocha, ...options, ...report, ...FILES], { env }).catch(() => undefined);
    return JSON.parse(await readFile(output, 'utf8')) as Results;
  }

  it('all pass', async () => {
    const { passes, pending, failures } = await runAs('appender');
    expect(failures.map(({ fullTitle, err }) => `${fullTitle}: ${err.message}`)).to.deep.equal([]);
    expect(pending.map(({ fullTitle }) => fullTitle)).to.deep.equal([
      'strongroom life never joins a transaction of the app',
    ]);
    const titles = passes.map(({ fullTitle }) => fullTitle);
    // It says itself that the server enforces it.
    expect(titles).to.include('strongroom life is ready when secrets and database are there, and says what it found');
    for (const express of ['Express 5', 'Express 4']) {
      for (const mongoose of ['mongoose 9', 'mongoose 8']) {
        expect(titles.filter((title) => title.includes(`${express}, ${mongoose}`))).to.have.length.above(6);
      }
    }
    expect(titles.filter((title) => title.includes('in a real trail'))).to.have.length.above(30);
  });
});
