/** `strongroom check-proof`: proven, not proven, malformed. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { generateKey } from '../../src/evidence/keys.js';
import { canonicalLine } from '../../src/evidence/line.js';
import { strongroom, strongroomJson } from './command-line.js';
import { SealedTrail, STREAM } from './sealed-trail.js';

interface Checked {
  proven: boolean;
  detail: string;
  id: string;
}

describe('strongroom check-proof', function suite() {
  this.timeout(60_000);
  let folder: string;
  let line: string;
  let proof: string;
  let trail: SealedTrail;
  let args: string[];
  const put = (name: string, text: string) => writeFile(join(folder, name), text);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-cli-'));
    args = ['check-proof', ...['proof', 'event', 'keys'].flatMap((name) => [`--${name}`, join(folder, name)])];
    trail = new SealedTrail();
    await trail.open();
    const events = trail.record(5);
    await trail.seal(events);
    line = canonicalLine({ ...events[3] });
    proof = trail.prove(3);
  });
  beforeEach(async () => {
    await put('proof', proof);
    await put('event', `${line}\n`);
    await put('keys', `# mine\n${trail.key.vkey}\n`);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('proves an event by its line, with a line feed at its end or without', async () => {
    for (const end of ['\n', '']) {
      await put('event', line + end);
      const { code, result } = await strongroomJson<Checked>(args);
      expect(code).to.equal(0);
      expect(result).to.include({ proven: true, detail: '', id: `${STREAM}.000000000003` });
    }
    expect((await strongroom(args)).stdout).to.match(/^proven: 01ARZ3NDEKTSV4RRFFQ69G5FAV\.000000000003 was sealed at/);
  });

  it('proves no other line, and nothing under a key that is not trusted: exit 1', async () => {
    await put('event', line.replace('auth.login', 'auth.logout'));
    expect(await strongroom(args)).to.include({
      code: 1,
      stdout: 'not proven: the event is not the one that was sealed\n',
    });
    await put('event', line);
    await put('keys', generateKey('audit.test/trail').vkey);
    const { code, result } = await strongroomJson<Checked>(args);
    expect({ code, proven: result.proven, detail: result.detail }).to.deep.equal({
      code: 1,
      proven: false,
      detail: 'no trusted key signed the ledger',
    });
  });

  it('says what is malformed or missing: exit 2', async () => {
    await put('proof', 'c2sp.org/tlog-proof@v1\n');
    expect((await strongroom(args)).stderr).to.match(/the proof is malformed/);
    await put('proof', proof);
    await put('keys', '# none\n');
    const { code, stderr } = await strongroom(args);
    expect(code).to.equal(2);
    expect(stderr).to.equal('strongroom: --keys must hold at least one vkey\n');
    await rm(join(folder, 'keys'));
    expect((await strongroom(args)).stderr).to.match(/keys: there is no such file or folder \(open\)/);
  });
});
