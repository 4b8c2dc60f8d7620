/** What a reader may ask, and what is refused: every wrong member by name, nothing clamped, nothing that could become an operator. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type AuditQuery, readFilter, readGrouping, readQuery, writeCursor } from '../../src/audit/query.js';

function problem(read: () => unknown): { code?: string; status?: number; message?: string } {
  try {
    read();
  } catch (error) {
    return error as Error;
  }
  return {};
}

describe('audit/query', () => {
  const wrong: Record<string, [unknown, RegExp]> = {
    'no object': [[], /query must be an object, got an array/],
    'an unknown member': [{ actorid: 'u1' }, /member "actorid" is unknown; did you mean "actorId"\?/],
    'an operator': [{ actorId: { $ne: null } }, /query\.actorId must be a string/],
    'an operator among actions': [{ action: ['a', { $gt: '' }] }, /query\.action\[1\] must be a string/],
    'null where only actorId may be null': [{ targetId: null }, /query\.targetId must be a string/],
    'a status that is something else': [
      { status: 'hunter2' },
      /^query\.status must be one of success, failure, error, got another string$/,
    ],
    'a status that is none': [{ status: 'sucess' }, /query\.status: "sucess" is unknown; did you mean "success"\?/],
    'no action in the list': [{ action: [] }, /1 to 50/],
    '51 actions': [{ action: Array(51).fill('a') }, /1 to 50/],
    'a text without end': [{ target: 'x'.repeat(1025) }, /at most 1024/],
    'a limit of 0': [{ limit: 0 }, /whole number from 1 to 1000/],
    'a limit of 1001': [{ limit: 1001 }, /whole number from 1 to 1000/],
    'a limit as text': [{ limit: '10' }, /whole number/],
    'a broken limit': [{ limit: 1.5 }, /whole number/],
    'a local time': [{ from: '31.1.2026' }, /query\.from must be a Date or ISO 8601/],
    'a number as time': [{ to: 0 }, /query\.to must be a Date/],
    'an impossible day': [{ from: '2026-13-01' }, /query\.from/],
    'the 30th of February': [{ from: '2024-02-30' }, /query\.from/],
    'the 29th of February of another year': [{ to: '2023-02-29T12:00:00Z' }, /query\.to/],
    'an inherited member that is wrong': [Object.create({ limit: 0 }), /whole number/],
    'a proxy that throws': [
      new Proxy(
        {},
        {
          ownKeys() {
            throw new Error('hostile');
          },
        },
      ),
      /query could not be read/,
    ],
    'an invalid Date': [{ from: new Date(Number.NaN) }, /query\.from/],
    'a cursor of nonsense': [{ cursor: 'abc' }, /query\.cursor is damaged/],
    'an empty cursor': [{ cursor: '' }, /query\.cursor is damaged/],
  };
  for (const [name, [query, message]] of Object.entries(wrong)) {
    it(`refuses ${name}, by its path`, () => {
      const error = problem(() => readQuery(query));
      expect(error).to.include({ code: 'ERR_STRONGROOM_QUERY_INVALID', status: 400 });
      expect(error.message).to.match(message);
    });
  }

  it('takes times as Date or ISO text, UTC where no offset stands', () => {
    const noon = new Date('2026-01-31T12:00:00.000Z');
    for (const from of [noon, '2026-01-31T12:00:00Z', '2026-01-31T12:00', '2026-01-31T14:00:00+02:00']) {
      expect(readFilter({ from }).from).to.deep.equal(noon);
    }
    expect(readFilter({ from: '2026-01-31' }).from).to.deep.equal(new Date('2026-01-31T00:00:00Z'));
  });

  it('asks for 50 events unless told otherwise', () => {
    expect(readQuery()).to.deep.include({ limit: 50, equals: {}, after: undefined });
  });

  it('lets undefined stand for left out', () => {
    expect(readQuery({ actorId: undefined, limit: undefined })).to.deep.include({ limit: 50, equals: {} });
  });

  describe('a cursor', () => {
    const place = { at: new Date(1_700_000_000_000), id: '01ARZ3NDEKTSV4RRFFQ69G5FAV.000000000007' };
    const filter = { actorId: 'u1', from: '2026-01-01' };

    it('gives its place back under the same filter, whatever the limit', () => {
      const cursor = writeCursor(place, readFilter(filter));
      expect(readQuery({ ...filter, limit: 7, cursor }).after).to.deep.equal(place);
    });

    const others: AuditQuery[] = [
      {},
      { actorId: 'u2', from: '2026-01-01' },
      { ...filter, to: '2027-01-01' },
      { actorId: null },
    ];
    for (const other of others) {
      it(`is refused under another filter: ${JSON.stringify(other)}`, () => {
        const cursor = writeCursor(place, readFilter(filter));
        expect(problem(() => readQuery({ ...other, cursor })).code).to.equal('ERR_STRONGROOM_QUERY_INVALID');
      });
    }

    it('is refused when one character changed', () => {
      const cursor = writeCursor(place, readFilter({}));
      for (let index = 0; index < cursor.length; index += 1) {
        const other = cursor[index] === 'A' ? 'B' : 'A';
        const damaged = cursor.slice(0, index) + other + cursor.slice(index + 1);
        if (Buffer.from(damaged, 'base64url').equals(Buffer.from(cursor, 'base64url'))) continue;
        expect(problem(() => readQuery({ cursor: damaged })).code).to.equal('ERR_STRONGROOM_QUERY_INVALID');
      }
    });

    it('is refused with anything added', () => {
      const cursor = writeCursor(place, readFilter({}));
      for (const junk of ['=', ' ', '\n', '!']) {
        expect(problem(() => readQuery({ cursor: cursor + junk })).code).to.equal('ERR_STRONGROOM_QUERY_INVALID');
      }
    });

    it('any text is either a cursor or refused, never a crash', () => {
      fc.assert(
        fc.property(fc.string(), (cursor) => {
          const { code } = problem(() => readQuery({ cursor }));
          expect(code).to.equal('ERR_STRONGROOM_QUERY_INVALID');
        }),
      );
    });
  });

  it('passes nothing but text, lists of text, null and dates to the store, whatever a client sends', () => {
    const hostile = fc.dictionary(
      fc.constantFrom(
        'actorId',
        'action',
        'target',
        'targetId',
        'status',
        'ipAddress',
        'requestId',
        'tenantId',
        'from',
        'to',
      ),
      fc.anything(),
    );
    fc.assert(
      fc.property(hostile, (query) => {
        let filter;
        try {
          filter = readFilter(query);
        } catch (error) {
          expect((error as { code?: string }).code).to.equal('ERR_STRONGROOM_QUERY_INVALID');
          return;
        }
        for (const value of Object.values(filter.equals)) {
          const isPlain =
            value === null || typeof value === 'string' || value.every((item) => typeof item === 'string');
          expect(isPlain).to.equal(true);
        }
      }),
    );
  });

  describe('a grouping', () => {
    const wrongGroups: Record<string, [unknown, RegExp]> = {
      'no fields': [{}, /aggregate\.by must be an array/],
      'an unknown field': [{ by: ['actionn'] }, /aggregate\.by\[0\]: "actionn" is unknown; did you mean "action"\?/],
      'a field twice': [{ by: ['action', 'action'] }, /names a field twice/],
      'nothing to group by': [{ by: [] }, /is empty/],
      'an unknown interval': [{ by: ['action'], interval: 'week' }, /aggregate\.interval/],
      'a wrong filter': [{ by: ['action'], status: 1 }, /aggregate\.status/],
    };
    for (const [name, [grouping, message]] of Object.entries(wrongGroups)) {
      it(`refuses ${name}`, () => {
        expect(problem(() => readGrouping(grouping)).message).to.match(message);
      });
    }

    it('takes an interval alone', () => {
      expect(readGrouping({ by: [], interval: 'day' })).to.deep.include({ by: [], interval: 'day' });
    });
  });
});
