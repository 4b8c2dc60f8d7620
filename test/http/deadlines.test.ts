/** Waiting on one timer: each falls due once, in order, and not after it was taken out. */
import { expect } from 'chai';
import { createDeadlines } from '../../src/http/deadlines.js';
import { until } from './app.js';

describe('Deadlines', () => {
  it('fall due once each, in the order of arrival, also those that came while the timer ran', async () => {
    const due: string[] = [];
    const deadlines = createDeadlines<string>(30, (item) => void due.push(item));
    deadlines.add('a');
    await new Promise((resolve) => setTimeout(resolve, 15));
    deadlines.add('b');
    await until(() => due.length === 2);
    expect(due).to.deep.equal(['a', 'b']);
    expect([...deadlines.values()]).to.deep.equal([]);
  });

  it('do not fall due when taken out, or stopped', async () => {
    const due: string[] = [];
    const deadlines = createDeadlines<string>(10, (item) => void due.push(item));
    const other = createDeadlines<string>(10, (item) => void due.push(item));
    deadlines.add('out');
    deadlines.add('in');
    other.add('stopped');
    other.stop();
    expect(deadlines.delete('out')).to.equal(true);
    expect(deadlines.delete('out')).to.equal(false);
    await until(() => due.length > 0);
    expect(due).to.deep.equal(['in']);
    expect([...other.values()]).to.deep.equal(['stopped']);
  });

  it('begin anew for what is added again', async () => {
    const due: string[] = [];
    const deadlines = createDeadlines<string>(40, (item) => void due.push(item));
    deadlines.add('a');
    deadlines.add('b');
    deadlines.add('a');
    expect([...deadlines.values()]).to.deep.equal(['b', 'a']);
    await until(() => due.length === 2);
    expect(due).to.deep.equal(['b', 'a']);
  });

  it('take what falls due and is added anew for another round', async () => {
    let rounds = 0;
    const deadlines = createDeadlines<string>(5, (item) => {
      rounds += 1;
      if (rounds < 3) deadlines.add(item);
    });
    deadlines.add('a');
    await until(() => rounds === 3);
  });
});
