/** The command line before any command: its words, flags, help, version and streams. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { NODE_ARGUMENTS, strongroom, strongroomJson } from './command-line.js';

const SECRET = 'mongodb://root:hunter2@127.0.0.1:1/audit';
const SIGNING_KEY = 'PRIVATE+KEY+audit.test/cli+0a1b2c3d+hunter2=';

describe('the command line', function suite() {
  this.timeout(60_000);

  it('shows its version, which is the one of the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await strongroom(['--version'])).to.deep.equal({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('shows help for all, and for each command that it lists', async () => {
    const { code, stdout } = await strongroom(['--help']);
    expect(code).to.equal(0);
    const commands = [...stdout.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name = '']) => name);
    expect(commands).to.include.members(['keygen', 'check-proof', 'provision', 'doctor']);
    for (const name of commands) {
      const help = await strongroom([name, '--help', '--nonsense']);
      expect(help.code, name).to.equal(0);
      expect(help.stdout).to.match(new RegExp(`^Usage: strongroom ${name} `));
    }
  });

  it('shows help as one object with --json', async () => {
    const all = await strongroomJson<{ commands: { command: string }[] }>(['--help']);
    expect(all.code).to.equal(0);
    expect(all.result.commands.map(({ command }) => command)).to.include.members(['keygen', 'verify']);
    const { result } = await strongroomJson<{ command: string; flags: object[] }>(['verify', '--help']);
    expect(result.command).to.equal('verify');
    expect(result.flags[1]).to.include({ name: '--from', value: 'FOLDER', isRequired: false, isRepeatable: false });
    expect(result.flags[4]).to.include({ name: '--anchor', isRepeatable: true });
  });

  const WRONG: readonly [args: string[], message: RegExp][] = [
    [[], /a command is missing/],
    [['keygn'], /no command "keygn"; did you mean "keygen"\?/],
    [['frobnicate'], /known: .*keygen/],
    [['keygen', '--nmae', 'x'], /"--nmae" is unknown; did you mean "--name"\?/],
    [['keygen'], /--name ORIGIN is missing/],
    [['keygen', '--name'], /--name needs its ORIGIN/],
    [['keygen', '--name', '--name', 'x'], /--name needs its ORIGIN/],
    [['keygen', '--name='], /--name needs its ORIGIN/],
    [['keygen', '--name', 'a', '--name', 'b'], /--name is there twice/],
    [['keygen', '--name', 'a', '--json=yes'], /--json takes no value/],
    [['keygen', '--name', 'a b'], /without spaces/],
    [['doctor', SECRET], /has a flag before it/],
    [['doctor', `--${SECRET}`], /of a name that no command has/],
    [['doctor', '--uri', 'https://root:hunter2@127.0.0.1/'], /--uri must be a mongodb:\/\//],
    [['doctor'], /--uri URI is missing, and MONGODB_URI is not set/],
    [['doctor', '--uri', SECRET, '--collection', 'system.hunter2'], /--collection must be/],
    [['verify', '--from', 'x', '--keys', SIGNING_KEY], /--keys must be the path of a FILE.*is not shown/],
    [['verify', '--from', SECRET, '--keys', 'x'], /--from must be the path of a FOLDER/],
    [['verify', '--from', 'x', '--keys', 'x', '--anchor', SECRET], /--anchor must be the path of a FILE/],
    [['verify', '--from', 'x', '--keys', 'x', '--state', SIGNING_KEY], /--state must be the path/],
    [['export', '--uri', SECRET, '--to', SECRET], /--to must be the path of a FOLDER/],
    [['check-proof', '--proof', SIGNING_KEY, '--event', 'x', '--keys', 'x'], /--proof must be the path/],
    [['doctor', '--uri', 'mongodb://root:hunter2@127.0.0.1:99999999/'], /the URI is malformed, its host or port/],
    [['verify', '--from', 'x', '--keys', '.'], /--keys \.: that is a folder \(read\)/],
    [['verify', '--from', 'package.json', '--keys', 'x'], /--keys x: there is no such file or folder/],
  ];
  for (const [args, message] of WRONG) {
    const shown = args.map((text) => text.replace(/hunter2/, '...')).join(' ');
    it(`refuses with exit 2 and the remedy, and shows no value: strongroom ${shown}`, async () => {
      const { code, stdout, stderr } = await strongroom(args);
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr).to.match(message);
      expect(stderr).not.to.include('hunter2');
      expect(stderr).not.to.match(/^ +at /m);
    });
  }

  it('prints the error as one object with --json, and nothing else on stdout', async () => {
    const { code, result, stderr } = await strongroomJson<{ error: { code: string; message: string } }>(['keygen']);
    expect(code).to.equal(2);
    expect(result.error).to.deep.equal({
      code: 'ERR_STRONGROOM_OPTIONS_INVALID',
      message: '--name ORIGIN is missing',
    });
    expect(stderr).to.equal('strongroom: --name ORIGIN is missing\n');
  });

  it('does not crash when nobody reads on: the exit code stays true', async () => {
    const child = spawn(process.execPath, [...NODE_ARGUMENTS, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  });
});
