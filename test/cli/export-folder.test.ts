/** An exported folder as the source of a verification: lines that are split over reads, damaged, out of order, or no lines at all. No database. */
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import mongoose from 'mongoose';
import { openExportFolder } from '../../src/cli/export-folder.js';
import { canonicalLine, canonicalText } from '../../src/evidence/line.js';
import { writeLedgerLine } from '../../src/evidence/ledger-document.js';
import type { VerifyReport } from '../../src/evidence/report.js';
import { verifyEvidence } from '../../src/evidence/verify.js';
import { makeTrail, Trail, trusting, violationsOf, VKEYS } from '../evidence/trail.js';

const { BSON, Long } = mongoose.mongo;
const PRESENT = new Date('2026-06-01T00:00:00Z');

describe('an exported folder', () => {
  let folder: string;
  let lines: string[];
  let ledger: string[];
  let ids: Awaited<ReturnType<typeof makeTrail>>;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-folder-'));
    ids = await makeTrail();
    take(ids);
  });
  afterEach(() => rm(folder, { recursive: true }));

  function take(trail: Trail): void {
    lines = trail.events.map((event) => canonicalLine(event)).sort();
    ledger = trail.ledger.map((document) => writeLedgerLine(document));
  }

  async function write(end: string = '\n'): Promise<void> {
    await writeFile(join(folder, 'events.ndjson'), lines.map((line) => line + end).join(''));
    await writeFile(join(folder, 'ledger.ndjson'), ledger.map((line) => line + end).join(''));
  }

  async function verify(): Promise<VerifyReport> {
    const { source, now, close } = await openExportFolder(folder, PRESENT);
    try {
      return await verifyEvidence(source, { keys: trusting(VKEYS[0]!, VKEYS[1]!), now });
    } finally {
      await close();
    }
  }

  function refusal(): Promise<unknown> {
    return verify().catch((error: unknown) => error);
  }

  it('is verified as of its newest entry', async () => {
    await write();
    const { now, close } = await openExportFolder(folder, PRESENT);
    await close();
    expect(now.getTime()).to.equal(ids.now - 1000);
    const report = await verify();
    expect(violationsOf(report)).to.deep.equal([]);
    expect(report).to.include({ events: lines.length, entries: ledger.length });
    const { state } = report;
    const again = await openExportFolder(folder, PRESENT);
    expect((await verifyEvidence(again.source, { keys: trusting(VKEYS[0]!), now, state })).intact).to.equal(true);
    await again.close();
  });

  it('may be larger than what is read at once, with lines larger than that too', async () => {
    const trail = new Trail();
    const stream = await trail.open();
    for (let part = 0; part < 40; part += 1) {
      trail.write(stream, 40, { meta: { text: 'ä"'.repeat(part * 40) } });
      await trail.seal(stream);
    }
    trail.write(stream, 1, { meta: { text: 'x'.repeat(2_500_000) } });
    await trail.seal(stream);
    take(trail);
    await write();
    const report = await verify();
    expect(violationsOf(report)).to.deep.equal([]);
    expect(report.events).to.equal(1601);
  });

  it('shows each changed line at its event', async () => {
    const at = (n: number): string => `${ids.a}.00000000000${n}`;
    lines[0] = lines[0]!.replace('"actorId":"u1"', '"actorId":"u2"');
    lines[2] = `${lines[2]} `;
    lines[3] = lines[3]!.replace('"v":1', '"v":2,"v":1');
    lines[4] = lines[4]!.slice(0, -1);
    // Nobody sealed the last one yet.
    lines.push(`${lines.pop()} `);
    await write();
    expect(violationsOf(await verify())).to.deep.equal([
      `event-edited ${at(0)}`,
      `event-type ${at(2)}`,
      `event-type ${at(3)}`,
      `event-malformed ${at(4)}`,
      `event-type ${ids.c}.000000000023`,
    ]);
  });

  it('shows a line that is no event by its number, an empty one too', async () => {
    lines.splice(1, 0, '', 'null', '[1]');
    await write();
    expect(violationsOf(await verify())).to.deep.equal([2, 3, 4].map((n) => `event-malformed events.ndjson:${n}`));
  });

  it('shows lines that are out of order, or there twice', async () => {
    [lines[1], lines[2]] = [lines[2]!, lines[1]!];
    lines.push(lines.at(-1)!);
    await write();
    expect(violationsOf(await verify())).to.deep.equal([
      `event-missing ${ids.a}.000000000001`,
      `event-inserted ${ids.a}.000000000001`,
      `event-inserted ${ids.c}.000000000023`,
    ]);
  });

  it('judges an event that was exported as its bytes by its bytes', async () => {
    const event = ids.find(`${ids.a}.000000000002`);
    const bson = Buffer.from(BSON.serialize({ ...event, v: Long.fromNumber(1) })).toString('base64');
    lines[2] = canonicalText({ _id: event._id as string, bson });
    lines[3] = lines[3]!.replace('"meta":', '"bson":"AA==","meta":');
    await write();
    expect(violationsOf(await verify())).to.deep.equal([
      `event-type ${ids.a}.000000000002`,
      `event-edited ${ids.a}.000000000003`,
    ]);
  });

  it('judges an entry that was exported as its bytes by its bytes, and shows what is no line of a ledger', async () => {
    const document = ids.ledger[3]!;
    const bson = Buffer.from(BSON.serialize({ ...document, from: Long.fromNumber(0) })).toString('base64');
    ledger[3] = canonicalText({ _id: 3, bson });
    ledger[5] = `${ledger[5]} `;
    ledger.push('nothing');
    await write();
    expect(violationsOf(await verify())).to.deep.equal([
      'ledger-index-field ledger#3',
      'ledger-index-field ledger#5',
      `ledger-entry-malformed ledger#line ${ledger.length}`,
    ]);
  });

  it('shows a missing entry, and finds the leaves of those behind it', async () => {
    ledger.splice(4, 1);
    await write();
    expect(violationsOf(await verify())).to.deep.equal(['ledger-gap ledger#4']);
  });

  it('is refused when a file is cut within a line, or its ends of lines were converted', async () => {
    await write();
    await appendFile(join(folder, 'events.ndjson'), '{"_id":"0');
    expect(await refusal()).to.include({ code: 'ERR_STRONGROOM_OPTIONS_INVALID' });
    expect(((await refusal()) as Error).message).to.match(/^events\.ndjson ends within a line/);
    await write('\r\n');
    expect(((await refusal()) as Error).message).to.match(/^ledger\.ndjson has lines that end with CR LF/);
    await rm(join(folder, 'ledger.ndjson'));
    expect(await refusal()).to.include({ code: 'ENOENT' });
  });

  it('may be empty', async () => {
    lines = [];
    ledger = [];
    await write();
    expect(await readFile(join(folder, 'events.ndjson'), 'utf8')).to.equal('');
    expect(await verify()).to.include({ intact: true, events: 0, entries: 0, newest: null });
  });
});
