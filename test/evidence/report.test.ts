/** `assertIntact`: throws what a person needs to know, and only when something is wrong. */
import { expect } from 'chai';
import { StateError } from '../../src/errors.js';
import { assertIntact, type VerifyReport } from '../../src/evidence/report.js';

const INTACT: VerifyReport = {
  intact: true,
  events: 3,
  entries: 2,
  newest: null,
  state: { v: 1 },
  violations: [],
  warnings: [{ kind: 'unsealed-tail', where: 'x', detail: 'y' }],
};
const violation = { kind: 'event-edited', where: 'S.000000000001', detail: 'it is another one' } as const;

describe('assertIntact', () => {
  it('says nothing of an intact trail, with warnings or without', () => {
    expect(() => assertIntact(INTACT)).not.to.throw();
  });

  it('names the first three violations, and how many more there are', () => {
    const report = { ...INTACT, intact: false, violations: Array.from({ length: 5 }, () => violation) };
    const message = /not intact: (event-edited at S\.000000000001: it is another one(; )?){3}and 2 more$/;
    expect(() => assertIntact(report))
      .to.throw(StateError, message)
      .with.property('code', 'ERR_STRONGROOM_LEDGER_ALARM');
    expect(() => assertIntact({ ...report, violations: [violation] })).to.throw(/: it is another one$/);
  });
});
