/** Whatever one change is made to an honest trail, verification finds it. Pure: no database. */
import { expect } from 'chai';
import fc from 'fast-check';
import { isSegmentEntry, readEntry } from '../../src/evidence/entry.js';
import { live, placeOf, type StoredEvent, streamAt, type Trail } from './trail.js';

const EVENTS = ['edit', 'add', 'remove', 'backdate', 'delete', 'swap', 'twin', 'insert', 'stranger'] as const;
const MEMBERS = ['_id', 'kind', 'stream', 'from', 'entry', 'note', 'peaks', 'leaves'] as const;
const LEDGER = ['drop', 'copy', 'exchange', ...MEMBERS] as const;

/** Events that a segment covers. */
function sealedOf(trail: Trail): StoredEvent[] {
  const ends = new Map<string, number>();
  for (const { entry } of trail.ledger) {
    const read = readEntry(entry)!;
    if (isSegmentEntry(read)) ends.set(read.stream, read.from + read.count);
  }
  return trail.events.filter(({ _id }) => {
    const { stream, sequence } = placeOf(_id as string);
    return sequence < (ends.get(stream) ?? 0);
  });
}

function changeEvent(trail: Trail, what: (typeof EVENTS)[number], pick: number): boolean {
  const sealed = sealedOf(trail);
  const event = sealed[pick % sealed.length];
  const other = sealed[(pick + 1) % sealed.length];
  if (event === undefined || other === undefined || other === event) return false;
  const id = event._id as string;
  const members = Object.keys(event).filter((name) => name !== '_id');
  const member = members[pick % members.length]!;
  const place = trail.events.indexOf(event);
  if (what === 'edit') event[member] = member === 'at' ? new Date(0) : 'x';
  else if (what === 'add') event['zz'] = null;
  else if (what === 'remove') Reflect.deleteProperty(event, member);
  else if (what === 'backdate') event['at'] = new Date((event['at'] as Date).getTime() - 1);
  else if (what === 'delete') trail.delete(id);
  else if (what === 'swap') [event._id, other._id] = [other._id, event._id];
  else if (what === 'twin') trail.events[place] = { ...other, _id: id };
  else if (what === 'insert')
    trail.events.push({ ...event, _id: `${id.slice(0, 27)}${String(900 + (pick % 99)).padStart(12, '0')}` });
  else trail.events.push({ ...event, _id: `${streamAt(trail.now - 86_400_000)}.000000000000` });
  return true;
}

function flip(text: string, pick: number): string {
  const place = pick % text.length;
  const flipped = String.fromCharCode(text.charCodeAt(place) ^ 1);
  return text.slice(0, place) + flipped + text.slice(place + 1);
}

function changeBytes(bytes: Buffer, pick: number): Buffer {
  const changed = Buffer.from(bytes);
  const place = pick % bytes.length;
  changed[place] = (bytes[place] as number) ^ 1;
  return changed;
}

function changeLedger(trail: Trail, what: (typeof LEDGER)[number], pick: number): boolean {
  const n = pick % trail.ledger.length;
  const document = trail.ledger[n]!;
  const put = (given: object): boolean => {
    trail.ledger[n] = { ...document, ...given };
    return true;
  };
  switch (what) {
    case 'drop':
      return trail.ledger.splice(n, 1).length === 1;
    case 'copy':
      return trail.ledger.push({ ...document, _id: trail.ledger.length }) > 0;
    case 'exchange': {
      const other = trail.ledger[(n + 1) % trail.ledger.length]!;
      if (other === document) return false;
      trail.ledger[other._id] = { ...document, _id: other._id };
      return put({ ...other, _id: n });
    }
    case '_id':
      return put({ _id: trail.ledger.length + 5 }) && trail.ledger.push(...trail.ledger.splice(n, 1)) > 0;
    case 'kind':
      return put({ kind: `${document.kind}s` });
    case 'stream':
      return put({ stream: document.stream === null ? '' : null });
    case 'from':
      return put({ from: (document.from ?? 0) + 1 });
    case 'entry':
    case 'note':
      return put({ [what]: flip(document[what], pick) });
    case 'peaks':
      return put({ peaks: changeBytes(document.peaks, pick) });
    case 'leaves':
      return put({ leaves: document.leaves === undefined ? Buffer.alloc(32) : changeBytes(document.leaves, pick) });
  }
}

const steps = fc.array(fc.tuple(fc.nat(), fc.nat(9)), { minLength: 10, maxLength: 50 });

describe('one change to an honest trail is found', () => {
  it('in its events', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(...EVENTS), fc.nat(), async (history, what, pick) => {
        const { trail } = await live(history);
        fc.pre(changeEvent(trail, what, pick));
        expect((await trail.verify()).intact).to.equal(false);
      }),
      { numRuns: 400 },
    );
  });

  it('in its ledger, where an anchor or a state knows its newest entry', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.constantFrom(...LEDGER),
        fc.nat(),
        fc.boolean(),
        async (...[history, what, pick, hasState]) => {
          const { trail } = await live(history);
          const { state, newest } = await trail.verify();
          fc.pre(changeLedger(trail, what, pick));
          const report = await trail.verify(hasState ? { state } : { anchors: [newest!] });
          expect(report.intact).to.equal(false);
        },
      ),
      { numRuns: 400 },
    );
  });
});
