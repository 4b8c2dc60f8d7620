/** Which events belong to an export, when streams come, go silent and come back while it is taken. */
import { expect } from 'chai';
import { type EntryDraft, eventId, placeEntry, writeEntry } from '../../src/evidence/entry.js';
import { EMPTY_ROOT } from '../../src/evidence/tree.js';
import { ExportScope } from '../../src/cli/export-scope.js';

const NOON = Date.parse('2026-01-01T12:00:00Z');
const MINUTE = 60_000;
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A stream that began so many minutes after noon. */
function streamAt(minutes: number): string {
  let [ms, text] = [NOON + minutes * MINUTE, ''];
  for (let digit = 0; digit < 10; digit += 1) {
    text = `${CROCKFORD[ms % 32]}${text}`;
    ms = Math.floor(ms / 32);
  }
  return text.padEnd(26, '0');
}

describe('cli/export-scope', () => {
  const later = new Set<string>();
  let minutes: number;
  let scope: ExportScope;
  let n: number;
  beforeEach(() => {
    later.clear();
    [minutes, n] = [0, 0];
    const isLater = (stream: string) => Promise.resolve(later.has(stream));
    scope = new ExportScope({ now: () => NOON + minutes * MINUTE, isLater });
  });

  const seal = (stream: string, count: number, at: number) => {
    const root = count === 0 ? EMPTY_ROOT.toString('base64') : Buffer.alloc(32).toString('base64');
    const draft: EntryDraft = { kind: 'seal', by: stream, stream, from: 0, count, root };
    scope.take(writeEntry(placeEntry(draft, n, new Date(NOON + at * MINUTE))));
    n += 1;
  };
  const includes = (stream: string, sequence: number) => scope.includes(eventId(stream, sequence));

  it('takes what the ledger covers, the tail of a living stream, and what is nobody’s', async () => {
    const [alive, dead] = [streamAt(-60), streamAt(-90)];
    seal(dead, 5, -80);
    seal(alive, 5, 0);
    scope.close();
    expect(await includes(alive, 4)).to.equal(true);
    expect(await includes(alive, 99)).to.equal(true);
    expect(await includes(dead, 5)).to.equal(true);
    expect(await includes(streamAt(-30), 0)).to.equal(true);
    expect(await scope.includes('7')).to.equal(true);
  });

  it('takes everything where no entry was exported', async () => {
    scope.take('junk');
    scope.close();
    for (const began of [-90, -1, 0, 60]) expect(await includes(streamAt(began), 3)).to.equal(true);
  });

  it('leaves a silent stream that came back, and one that was opened since, to the next export', async () => {
    const [dead, fresh] = [streamAt(-90), streamAt(1)];
    seal(dead, 5, -80);
    seal(streamAt(-60), 1, 0);
    scope.close();
    later.add(dead).add(fresh);
    expect(await includes(dead, 4)).to.equal(true);
    expect(await includes(dead, 5)).to.equal(false);
    expect(await includes(fresh, 0)).to.equal(false);
  });

  it('leaves out what is too new for the ledger that was exported, and nothing that claims to come from the future', async () => {
    seal(streamAt(-60), 1, 0);
    scope.close();
    minutes = 20;
    expect(await includes(streamAt(4), 0)).to.equal(true);
    expect(await includes(streamAt(19), 0)).to.equal(false);
    expect(await includes(streamAt(60), 0)).to.equal(true);
  });
});
