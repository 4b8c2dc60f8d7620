/** README's table of outcomes, read line by line and held against what decides. */
import { expect } from 'chai';
import { type Evidence, judge } from '../../src/http/outcome.js';
import { codeWords, readPage, rowsOf } from './markdown.js';

const ROWS = rowsOf(readPage('README.md'), 'How the outcome is decided', 'what happened');
const ACTIONS = ['auth.login', 'auth.logout', 'user.update'];

describe("README's table of outcomes", () => {
  for (const [what = '', status, reason] of ROWS) {
    it(`is what the code does: ${what}`, () => {
      const cases = casesOf(what);
      expect(cases).to.not.be.empty;
      for (const evidence of cases) {
        expect(judge(evidence), JSON.stringify(evidence)).to.deep.equal({
          status: codeWords(status)[0],
          reason: codeWords(reason)[0] ?? null,
        });
      }
    });
  }

  it('covers every status from 200 on, for every kind of action', () => {
    const covered = new Set(ROWS.flatMap(([what = '']) => casesOf(what)).map(keyOf));
    const possible = range(200, 599).flatMap((statusCode) =>
      ACTIONS.flatMap((action) =>
        [true, false].map((hasAuthenticationChanged) =>
          keyOf({ ending: 'answered', statusCode, action, hasAuthenticationChanged }),
        ),
      ),
    );
    expect(possible.filter((key) => !covered.has(key))).to.deep.equal([]);
  });
});

/** Everything that a row speaks of. */
function casesOf(what: string): Evidence[] {
  return codesOf(what).flatMap((statusCode) =>
    actionsOf(what).flatMap((action) =>
      changesOf(what).map((hasAuthenticationChanged) => ({
        ending: endingOf(what),
        statusCode,
        action,
        hasAuthenticationChanged,
      })),
    ),
  );
}

function codesOf(what: string): number[] {
  if (endingOf(what) !== 'answered') return [200, 500];
  const hundreds = /(\d)xx/.exec(what)?.[1];
  if (hundreds === undefined) return (what.match(/\d{3}/g) ?? []).map(Number);
  const named = new Set(ROWS.flatMap(([row = '']) => row.match(/\d{3}/g) ?? []).map(Number));
  return range(Number(hundreds) * 100, Number(hundreds) * 100 + 99).filter((code) => !named.has(code));
}

function actionsOf(what: string): string[] {
  if (what.includes('on a login or logout')) return ['auth.login', 'auth.logout'];
  if (what.includes('on a login')) return ['auth.login'];
  // Elsewhere: than in the row above of the same status.
  if (what.includes('elsewhere')) return what.startsWith('3') ? ['user.update'] : ['auth.logout', 'user.update'];
  return ACTIONS;
}

function changesOf(what: string): boolean[] {
  if (what.includes('somebody came or went')) return [true];
  return what.includes('nobody did') ? [false] : [true, false];
}

function endingOf(what: string): Evidence['ending'] {
  if (what.startsWith('the client went')) return 'aborted';
  return what.startsWith('no answer') ? 'abandoned' : 'answered';
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function keyOf({ ending, statusCode, action, hasAuthenticationChanged }: Evidence): string {
  return [ending, statusCode, action, hasAuthenticationChanged].join(' ');
}
