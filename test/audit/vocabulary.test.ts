/** Known actions pass in silence; each unknown one is told once. */
import { expect } from 'chai';
import { createVocabulary, isActionName, REGISTERED_ACTIONS } from '../../src/audit/vocabulary.js';

interface Warning extends Error {
  code: string;
}

/** What `work` warned of; warnings are told on the next tick. */
async function warningsOf(work: () => void): Promise<Warning[]> {
  const heard: Warning[] = [];
  const listen = (warning: Error): number => heard.push(warning as Warning);
  const printers = process.listeners('warning');
  process.removeAllListeners('warning').on('warning', listen);
  work();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', listen);
  for (const printer of printers) process.on('warning', printer);
  return heard;
}

describe('createVocabulary', () => {
  it('knows the registered actions and your own', async () => {
    const vocabulary = createVocabulary(['order.refund']);
    for (const action of [...REGISTERED_ACTIONS, 'order.refund'])
      expect(vocabulary.isRegistered(action)).to.equal(true);
    for (const action of ['order.refunds', 'Auth.login', '', 'constructor'])
      expect(vocabulary.isRegistered(action)).to.equal(false);
    const warnings = await warningsOf(() => ['auth.login', 'order.refund'].forEach(vocabulary.check));
    expect(warnings).to.deep.equal([]);
  });

  it('warns of an unknown action once, with the nearest name', async () => {
    const vocabulary = createVocabulary();
    const warnings = await warningsOf(() => ['auth.logn', 'auth.logn'].forEach(vocabulary.check));
    expect(warnings).to.have.length(1);
    expect(warnings[0]?.message).to.contain('"auth.logn"').and.contain('did you mean "auth.login"?');
    expect(warnings[0]).to.include({ name: 'StrongroomWarning', code: 'STRONGROOM_ACTION_UNKNOWN' });
  });

  it('keeps a warning on one line, and short', async () => {
    const vocabulary = createVocabulary();
    const [warning] = await warningsOf(() => vocabulary.check(`x\n\u202e${'y'.repeat(1e5)}`));
    expect(warning?.message).to.match(
      /^audit action "x \ufffdy{61}" is stored, but not registered: add your own names to audit.actions$/,
    );
  });

  it('falls silent when an app makes up names without end', async () => {
    const vocabulary = createVocabulary();
    const warnings = await warningsOf(() => {
      for (let index = 0; index < 1000; index += 1) vocabulary.check(`made.up.${index}`);
    });
    expect(warnings).to.have.length(50);
  });
});

describe('isActionName', () => {
  it('takes names of 1 to 64 characters without white space', () => {
    for (const name of ['a', 'order.refund', 'x'.repeat(64)]) expect(isActionName(name, 'p')).to.equal(undefined);
    for (const name of ['', 'a b', 'x'.repeat(65), 1, null]) expect(isActionName(name, 'p')).to.match(/^p must be/);
  });
});
