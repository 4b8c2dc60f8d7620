/** How progress is shown in a pipe, on a terminal and with --json, and the question before an act: on a terminal of its own, given by Python. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { MongoClient } from 'mongodb';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import { type Call, FlagValues } from '../../src/cli/command.js';
import { withProgress } from '../../src/cli/progress.js';
import { startMongod } from '../mongod.js';
import { NODE_ARGUMENTS } from './command-line.js';
import { KEY, writeTrail } from './history.js';

const PTY = `
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))`;

describe('progress in a pipe', () => {
  function callWith(flags: readonly string[]): { call: Call; said: string[]; clock: { ms: number } } {
    const said: string[] = [];
    const clock = { ms: 0 };
    const output = { write: () => undefined, say: (line: string) => said.push(line), isTerminal: false, canAsk: false };
    const values = new FlagValues(new Map(flags.map((flag) => [flag, ['']])));
    return { call: { flags: values, output, environment: {}, now: () => clock.ms }, said, clock };
  }

  it('is a line every three seconds at the most', async () => {
    const { call, said, clock } = callWith([]);
    await withProgress(call, 'verify', async (update) => {
      for (let done = 0; done <= 10_000; done += 1000) {
        update({ done, total: 9000 });
        clock.ms += 1000;
      }
    });
    expect(said).to.deep.equal(['verify: 3,000 of 9,000', 'verify: 6,000 of 9,000', 'verify: 9,000 of 9,000']);
  });

  it('is nothing with --json', async () => {
    const { call, said, clock } = callWith(['json']);
    await withProgress(call, 'verify', async (update) => {
      clock.ms += 10_000;
      update({ done: 1, total: 2 });
    });
    expect(said).to.deep.equal([]);
  });
});

describe('the command line on a terminal', function suite() {
  this.timeout(120_000);
  let server: MongoMemoryServer;
  let client: MongoClient;
  let folder: string;
  let uri: string;
  let databases = 0;

  before(async function findPython() {
    const hasPty = await promisify(execFile)('python3', ['-c', 'import pty, os; os.waitstatus_to_exitcode']).then(
      () => true,
      () => false,
    );
    if (!hasPty) this.skip();
    server = await startMongod();
    client = await new MongoClient(server.getUri()).connect();
    folder = await mkdtemp(join(tmpdir(), 'strongroom-terminal-'));
    await writeFile(join(folder, 'keys'), KEY.vkey);
  });
  after(async () => {
    await client?.close();
    await server?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true });
  });
  beforeEach(async () => {
    databases += 1;
    uri = server.getUri(`terminal_${databases}`);
    await writeTrail(uri, [new Date('2025-01-01')]);
  });

  /** Types an answer once it is asked; undefined: closes the terminal's input. */
  function onTerminal(args: readonly string[], answer?: string): Promise<{ code: number | null; screen: string }> {
    return new Promise((resolve) => {
      const env = { ...process.env, AUDIT_SIGNING_KEY: KEY.signingKey, MONGODB_URI: uri };
      const child = spawn('python3', ['-c', PTY, process.execPath, ...NODE_ARGUMENTS, ...args], { env });
      let screen = '';
      let isAnswered = false;
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        screen += text;
        if (isAnswered || !screen.includes('Type yes: ')) return;
        isAnswered = true;
        child.stdin.write(answer ?? '\u0004');
      });
      child.on('close', (code) => resolve({ code, screen }));
    });
  }

  const count = () => client.db(`terminal_${databases}`).collection('audit_events').countDocuments();

  it('draws a bar and takes it away', async () => {
    const { code, screen } = await onTerminal(['verify', '--keys', join(folder, 'keys')]);
    expect(code).to.equal(0);
    expect(screen).to.match(/verify \[#*\.*\] \d+% \|/);
    expect(screen).to.match(/intact\r\n$/);
  });

  it('asks before it prunes, and does it after yes', async () => {
    const { code, screen } = await onTerminal(['prune', '--before', '2026-01-01'], 'yes\r');
    expect(code, screen).to.equal(0);
    expect(screen).to.match(/3 events before 2026-01-01.*would be deleted for good/s);
    expect(await count(), 'what it says of itself').to.equal(1);
  });

  for (const [what, answer] of [
    ['no', 'no\r'],
    ['the end of the input', undefined],
  ] as const) {
    it(`does nothing after ${what}: exit 2`, async () => {
      const { code, screen } = await onTerminal(['prune', '--before', '2026-01-01'], answer);
      expect(code, screen).to.equal(2);
      expect(screen).to.include('nothing was done');
      expect(await count()).to.equal(3);
    });
  }
});
