/** Strict actions over raw sockets: every way to answer, in every stack, is held, leaves as it would have left, or does not leave at all. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import compression from 'compression';
// @ts-expect-error -- it has no types of its own
import cookieSession from 'cookie-session';
import { expect } from 'chai';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
// @ts-expect-error -- it has no types of its own
import session from 'express-session';
import { answerError, closeAll, EXPRESSES } from './app.js';
import {
  answerDurably,
  answerInVain,
  answerPlainly,
  type Case,
  expectRefusal,
  type Handler,
  MARK,
  normalised,
} from './strict-app.js';

const FILE = join(process.cwd(), 'package-lock.json');

function marked(handler: Handler): Handler {
  return (req, res, next) => {
    res.setHeader('X-Handler', MARK);
    res.cookie('sid', MARK);
    return handler(req, res, next);
  };
}

const ANSWERS: Record<string, Case | Handler> = {
  json: (_req, res) => res.json({ [MARK]: 1 }),
  'send, with an ETag': (_req, res) => res.send(MARK),
  'send of a Buffer': (_req, res) => res.send(Buffer.from(MARK)),
  'sendFile of a large file': (_req, res) => res.sendFile(FILE),
  'a range of sendFile': {
    method: 'GET',
    headers: 'Range: bytes=10-200\r\n',
    handler: (_req, res) => res.sendFile(FILE),
  },
  download: (_req, res) => res.download(FILE, `${MARK}.json`),
  redirect: (_req, res) => res.redirect(`/${MARK}`),
  'status 204': (_req, res) => res.sendStatus(204),
  'status 201, ended without a body': (_req, res) => res.status(201).end(),
  'a status message of its own': (_req, res) => {
    res.statusMessage = MARK;
    res.end();
  },
  'a fresh 304': {
    method: 'GET',
    headers: 'If-None-Match: "x"\r\n',
    handler: (_req, res) => res.set('ETag', '"x"').send(MARK),
  },
  HEAD: { method: 'HEAD', handler: (_req, res) => res.send(MARK) },
  'many writes': async (_req, res) => {
    for (let index = 0; index < 20; index += 1) {
      res.write(`${MARK} ${index}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    res.end('end');
  },
  'writes of any type and encoding': (_req, res) => {
    res.write('c3a9', 'hex');
    res.write(new Uint8Array([65, 66]));
    res.write('', () => undefined);
    res.end('w6k=', 'base64');
  },
  'more than is kept': (_req, res) => {
    for (let index = 0; index < 300; index += 1) res.write(`${MARK} ${index} ${'x'.repeat(1000)}`);
    res.end();
  },
  'a stream, piped with back pressure': (_req, res) => {
    const piece = `${MARK}${'y'.repeat(10_000)}`;
    return pipeline(Readable.from(Array.from({ length: 50 }, () => piece)), res);
  },
  'a stream, piped to a HEAD': {
    method: 'HEAD',
    handler: (_req, res) => pipeline(Readable.from(Array.from({ length: 50 }, () => 'y'.repeat(10_000))), res),
  },
  'writeHead, early, with headers': (_req, res) => {
    res.writeHead(202, 'Fine', { 'X-More': MARK, 'Set-Cookie': ['a=1', 'b=2'] });
    setImmediate(() => res.end(MARK));
  },
  'writeHead with a list of headers': (_req, res) => res.writeHead(200, ['X-More', MARK, 'X-Other', '1']).end('b'),
  'writeHead with a length': (_req, res) => res.writeHead(200, { 'Content-Length': 4 }).end('four'),
  'flushHeaders before the body': (_req, res) => {
    res.flushHeaders();
    setImmediate(() => res.end(MARK));
  },
  trailers: (_req, res) => {
    res.writeHead(200, { Trailer: 'X-Sum' });
    res.write(MARK);
    res.addTrailers({ 'X-Sum': MARK });
    res.end();
  },
  'headers of the connection': (_req, res) => res.set('Connection', 'close').set('Date', 'never').send('x'),
  'a refusal of the handler': (_req, res) => res.status(401).json({ error: MARK }),
  'an error of the handler': {
    handler: () => {
      throw Object.assign(new Error(MARK), { status: 418 });
    },
    after: (app) => app.use(answerError),
  },
  'an error given to next, answered by Express': { handler: (_req, _res, next) => next({ status: 500, stack: MARK }) },
  'a route that leaves it to nobody': { handler: (_req, _res, next) => next() },
};

function setFrontHeaders(_req: Request, res: Response, next: NextFunction): void {
  res.setHeader('X-Front', 'kept');
  res.setHeader('Access-Control-Allow-Origin', 'https://app.example');
  next();
}

/** Writes into each session, so that its cookie is sent. */
function touch(req: Request, _res: Response, next: NextFunction): void {
  (req as Request & { session: Record<string, string> }).session['user'] = MARK;
  next();
}

const cookies = (): RequestHandler => session({ secret: 's', resave: false, saveUninitialized: true }) as never;
const sealedCookies = (): RequestHandler => cookieSession({ name: 'session', keys: ['k'] }) as never;
const packed = (): RequestHandler => compression({ threshold: 0 }) as never;
const GZIP = 'Accept-Encoding: gzip\r\n';

/** Adds a header each time it is asked for the head. */
function appendInWriteHead(_req: Request, res: Response, next: NextFunction): void {
  const { writeHead } = res;
  res.writeHead = function append(this: Response, ...args: unknown[]) {
    if (!res.headersSent) res.append('X-Appended', 'once');
    return Reflect.apply(writeHead, this, args) as Response;
  } as Response['writeHead'];
  next();
}

const STACKS: Record<string, () => Omit<Case, 'handler'>> = {
  'by itself': () => ({ front: [setFrontHeaders] }),
  'with compression in front': () => ({ front: [packed()], headers: GZIP }),
  'with compression behind': () => ({ behind: [packed()], headers: GZIP }),
  'with express-session in front': () => ({ front: [cookies()], behind: [touch] }),
  'with express-session behind': () => ({ behind: [cookies(), touch] }),
  'with cookie-session in front': () => ({ front: [sealedCookies()], behind: [touch] }),
  'with a writeHead of its own behind': () => ({ behind: [appendInWriteHead] }),
  'with cookie-session behind': () => ({ behind: [sealedCookies(), touch] }),
};

for (const [name, express] of EXPRESSES) {
  for (const [stack, build] of Object.entries(STACKS)) {
    describe(`A strict answer on ${name}, ${stack}`, () => {
      afterEach(closeAll);

      for (const [kind, answer] of Object.entries(ANSWERS)) {
        const given = typeof answer === 'function' ? { handler: answer } : answer;
        const create = (): Case => {
          const around = build();
          const headers = `${around.headers ?? ''}${given.headers ?? ''}`;
          return { ...around, ...given, headers, handler: marked(given.handler) };
        };

        it(`is held and leaves as it is: ${kind}`, async () => {
          const plain = normalised(await answerPlainly(express, create()));
          expect(normalised(await answerDurably(express, create()))).to.equal(plain);
        });

        it(`does not leave when its event cannot be stored: ${kind}`, async () => {
          const { answer: refusal, room } = await answerInVain(express, create());
          expectRefusal(refusal, given.method);
          expect(room.recorded).to.have.length(1);
        });
      }
    });
  }
}

describe('The file of these tests', () => {
  it('is larger than what is kept', () => {
    expect(readFileSync(FILE).length).to.be.above(64 * 1024);
  });
});
