/** `strongroom keygen`: a key pair that works, and where it is shown. */
import { expect } from 'chai';
import { type KeyPair, readSigningKey } from '../../src/evidence/keys.js';
import { strongroom, strongroomJson } from './command-line.js';

describe('strongroom keygen', function suite() {
  this.timeout(60_000);

  it('prints both halves of a new key each time, and says where the secret one belongs', async () => {
    const args = ['keygen', '--name', 'audit.example.com/prod'];
    const [one, other] = [await strongroomJson<KeyPair>(args), await strongroomJson<KeyPair>(args)];
    expect(one.code).to.equal(0);
    expect(Object.keys(one.result)).to.deep.equal(['signingKey', 'vkey']);
    expect(readSigningKey(one.result.signingKey, 'key').vkey).to.equal(one.result.vkey);
    expect(one.result.vkey).to.match(/^audit\.example\.com\/prod\+/);
    expect(other.result.vkey).not.to.equal(one.result.vkey);
    expect(one.stderr)
      .to.match(/secret store/)
      .and.not.to.include('PRIVATE');
  });

  it('prints two lines for a person', async () => {
    const { stdout } = await strongroom(['keygen', '--name', 'a']);
    expect(stdout).to.match(/^signingKey PRIVATE\+KEY\+a\+\S+\nvkey a\+\S+\n$/);
  });
});
