/** Reading secrets: a warm `req.secrets.get` against bare node-cache and AWS Lambda Powertools, and calls to a provider under a rush of readers. */
import { BaseProvider } from '@aws-lambda-powertools/parameters/base';
import express from 'express';
import NodeCache from 'node-cache';
import request from 'supertest';
import { createSecretManager, memoryProvider, strongroom, type SecretsAccessor } from '../../dist/esm/index.js';
import { alternate, type Contender } from './rounds.js';
import { grouped, type Row } from './table.js';

const NAME = 'JWT_SECRET';
const VALUE = 'correct horse battery staple';
const READERS = 1000;

/** A store for Powertools in the way its documentation says, but for an own `get` that only calls the inherited one: that would cost a promise. */
class PowertoolsStore extends BaseProvider {
  calls = 0;
  readonly #delayMs: number;

  constructor(delayMs: number) {
    super({});
    this.#delayMs = delayMs;
  }

  protected override async _get(): Promise<string> {
    this.calls += 1;
    return answerAfter(this.#delayMs);
  }

  protected override _getMultiple(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

/** Warm reads, and cold ones that come all at once. */
export async function measureSecrets(quick: boolean): Promise<Row[]> {
  return [...(await measureWarm(quick)), ...(await measureRush())];
}

async function measureWarm(quick: boolean): Promise<Row[]> {
  const reads = quick ? 1000 : 1_000_000;
  const { secrets, close } = await openRequestSecrets();
  const cache = new NodeCache();
  cache.set(NAME, VALUE);
  const powertools = new PowertoolsStore(0);
  const options = { maxAge: 300 };
  const ours = reader('strongroom', reads, () => secrets.get(NAME));
  const bare = reader('node-cache', reads, async () => cache.get<string>(NAME));
  const theirs = reader('powertools', reads, () => powertools.get(NAME, options));
  const speeds = await alternate([ours, bare, theirs], quick ? 1 : 9);
  await close();
  if (powertools.calls !== 1) throw new Error(`Powertools was to be warm and asked ${powertools.calls} times`);
  const perRead = (name: string): string => `${(1e9 / speeds.of(name)).toFixed(0)} ns`;
  return [
    { what: 'warm req.secrets.get', value: perRead('strongroom') },
    {
      what: '  times as fast as a bare async read of node-cache',
      value: perRead('node-cache'),
      ratio: speeds.ratio('strongroom', 'node-cache'),
    },
    {
      what: '  times as fast as AWS Lambda Powertools parameters',
      value: perRead('powertools'),
      ratio: speeds.ratio('strongroom', 'powertools'),
      goal: { sign: '>=', ratio: 2 },
    },
  ];
}

/** The accessor that a route handler gets, out of a real request. */
async function openRequestSecrets(): Promise<{ secrets: SecretsAccessor; close: () => Promise<void> }> {
  const room = strongroom({
    secrets: { provider: memoryProvider({ [NAME]: VALUE }) },
    audit: false,
    environment: 'test',
  });
  const app = express();
  app.use(room);
  let secrets: SecretsAccessor | undefined;
  app.get('/', (req, res) => {
    ({ secrets } = req);
    res.end();
  });
  await request(app).get('/').expect(200);
  if (secrets === undefined) throw new Error('the middleware gave no req.secrets');
  return { secrets, close: () => room.close() };
}

function reader(name: string, reads: number, get: () => Promise<unknown>): Contender {
  return {
    name,
    async run() {
      if ((await get()) !== VALUE) throw new Error(`${name} gave another value`);
      const started = performance.now();
      for (let read = 0; read < reads; read += 1) await get();
      return (reads / (performance.now() - started)) * 1000;
    },
  };
}

async function measureRush(): Promise<Row[]> {
  let calls = 0;
  const provider = {
    name: 'counting',
    get: () => {
      calls += 1;
      return answerAfter(20);
    },
  };
  const manager = createSecretManager({ provider, environment: 'test' });
  await rush(() => manager.get(NAME));
  await manager.close();
  const powertools = new PowertoolsStore(20);
  await rush(() => powertools.get(NAME, { maxAge: 300 }));
  return [
    {
      what: `provider calls for ${grouped(READERS)} concurrent cold reads of one name`,
      value: `${calls} calls`,
      ratio: calls,
      goal: { sign: '=', ratio: 1 },
    },
    {
      what: '  the same with AWS Lambda Powertools parameters',
      value: `${powertools.calls} calls`,
      ratio: powertools.calls,
    },
  ];
}

async function rush(get: () => Promise<unknown>): Promise<void> {
  const values = await Promise.all(Array.from({ length: READERS }, get));
  if (values.some((value) => value !== VALUE)) throw new Error('a reader got another value');
}

function answerAfter(delayMs: number): Promise<string> {
  return new Promise((resolve) => setTimeout(resolve, delayMs, VALUE));
}
