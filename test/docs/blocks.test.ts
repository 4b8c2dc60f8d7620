/** The code blocks of README and SECURITY: they compile as a user's code, and those marked so run on a real MongoDB and print what is shown. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { resolve } from 'node:path';
import { expect } from 'chai';
import { generateKey } from '../../src/evidence/keys.js';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import { MongoClient } from 'mongodb';
import { provision } from '../../src/mongo/provision-run.js';
import { startMongod, startMongodWithAuth } from '../mongod.js';
import { type Block, readPage } from './markdown.js';
import {
  closeSandbox,
  isTypeScript,
  openSandbox,
  type Run,
  runNode,
  startNode,
  typecheck,
  writeRunnable,
} from './sandbox.js';

const README = readPage('README.md');
const SECURITY = readPage('SECURITY.md');
const RUNNABLE = README.blocks.filter(({ run }) => run !== undefined);

const KEY = generateKey('docs.example/audit');

describe('code blocks of the documentation', function () {
  // Each example is a process of its own; the compiler sees all of them and src.
  this.timeout(60_000);

  let server: MongoMemoryServer;
  let databases = 0;

  before(async () => {
    openSandbox();
    server = await startMongod();
  });
  after(async () => {
    await server.stop();
    closeSandbox();
  });

  function environment(): Record<string, string> {
    databases += 1;
    return {
      AUDIT_URI: server.getUri(`docs_${databases}`),
      AUDIT_SIGNING_KEY: KEY.signingKey,
      VKEY: KEY.vkey,
      JWT_SECRET: 'only for this test',
    };
  }

  it('compile under strict and exactOptionalPropertyTypes', async () => {
    expect(README.blocks.filter(isTypeScript)).to.have.length.above(15);
    expect(await typecheck([README, SECURITY])).to.equal('');
  });

  it('are shell commands, TypeScript or what TypeScript prints', () => {
    const languages = new Set([...README.blocks, ...SECURITY.blocks].map(({ language }) => language));
    expect([...languages]).to.have.members(['sh', 'ts']);
  });

  for (const block of RUNNABLE.filter(({ run }) => run === '')) {
    it(`run and print what is shown: README line ${block.line}`, async () => {
      expect(block.output, 'the block shows no output').to.be.a('string');
      expectOutput(await runNode([writeRunnable(README, block)], environment()), block);
    });
  }

  it('show a test that passes', async () => {
    const file = writeRunnable(README, blockNamed('mocha'));
    const mocha = resolve('node_modules/mocha/bin/mocha.js');
    const { stdout, exitCode } = await runNode([mocha, '--no-config', file], environment());
    expect(stdout).to.match(/1 passing/);
    expect(exitCode).to.equal(0);
  });

  it('show a quick start that records logins and stops when asked', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const app = startNode([writeRunnable(README, blockNamed('quick-start'))], { ...environment(), PORT: String(port) });
    await until(() => fetch(`${url}/audit`).then((answer) => answer.status === 401));
    const logIn = async (password: string): Promise<number> => {
      const body = JSON.stringify({ name: 'alice', password });
      return (await fetch(`${url}/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }))
        .status;
    };
    expect([await logIn('wrong'), await logIn('correct horse')]).to.deep.equal([401, 200]);
    let events: { action: string; status: string; actorId: string | null; app: string }[] = [];
    await until(async () => {
      const answer = await fetch(`${url}/audit`, { headers: { authorization: 'admin' } });
      ({ events } = (await answer.json()) as { events: typeof events });
      return events.length === 2;
    });
    expect(
      events.map(({ action, status, actorId, app: name }) => `${name} ${action} ${status} ${actorId}`),
    ).to.deep.equal(['shop auth.login success u-alice', 'shop auth.login failure null']);
    app.stop();
    expect((await app.ended).exitCode).to.equal(0);
  });

  it('show a user with the fewest privileges, and what ready() says of it', async () => {
    const guarded = await startMongodWithAuth();
    try {
      const user = { user: 'shop', password: 'only-for-this-test' };
      const admin = await new MongoClient(guarded.adminUri('audit')).connect();
      const trail = { database: 'audit', collection: 'audit_events', tenant: false, user: user.user };
      await provision(admin.db('audit') as never, trail, user.password);
      await admin.close();
      const env = { AUDIT_URI: guarded.uri('audit', user) };
      const block = blockNamed('least-privilege');
      expectOutput(await runNode([writeRunnable(README, block)], env), block);
    } finally {
      await guarded.stop();
    }
  });
});

function blockNamed(name: string): Block {
  const block = RUNNABLE.find(({ run }) => run === name);
  if (block === undefined) throw new Error(`README has no block marked run: ${name}`);
  return block;
}

function expectOutput(run: Run, { output }: Block): void {
  expect(run.stdout, run.stderr).to.equal(output);
  expect(run.exitCode, run.stderr).to.equal(0);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0);
  await new Promise((listening) => probe.once('listening', listening));
  const { port } = probe.address() as AddressInfo;
  await new Promise((closed) => probe.close(closed));
  return port;
}

/** Polls until it is so; mocha's timeout ends it. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo().catch(() => false))) await delay(50);
}
