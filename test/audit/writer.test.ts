/** The order in which the writer sends and tells, against a store that takes its time as the driver does. What is stored is tested with a real mongod. */
import { expect } from 'chai';
import { createEmptyStore } from '../../src/audit/empty-store.js';
import { Losses } from '../../src/audit/losses.js';
import { createEntry } from '../../src/audit/outbox.js';
import { Pending } from '../../src/audit/pending.js';
import type { AuditStore } from '../../src/audit/store.js';
import { Writer } from '../../src/audit/writer.js';
import { createHooks } from '../../src/hooks.js';
import { makeEvent } from './events.js';

/** Between the call and the socket the driver awaits a few dozen times. */
const PROMISES_TO_THE_SOCKET = 40;

interface World {
  /** What happened, in order; what is told is told once a batch. */
  readonly order: string[];
  readonly pending: Pending;
  push(count: number): void;
  start(): void;
}

function createWorld(openStream = (_id: string): Promise<boolean> => Promise.resolve(true)): World {
  const order: string[] = [];
  const hooks = createHooks();
  const pending = new Pending({ timeoutMs: 30_000, maxBytes: 2 ** 30 });
  const store: AuditStore = {
    ...createEmptyStore(),
    async insert(batch) {
      for (let passed = 0; passed < PROMISES_TO_THE_SOCKET; passed += 1) await Promise.resolve();
      order.push(`sent ${batch.length}`);
      return { kind: 'stored' };
    },
  };
  const createGap = (): never => {
    throw new Error('nothing is lost here');
  };
  const ignore = (): void => undefined;
  const writer = new Writer({
    store,
    pending,
    hooks,
    losses: new Losses(hooks),
    createGap,
    onStored: ignore,
    openStream,
    raise: ignore,
  });
  const resolve = (): void => {
    if (order.at(-1) !== 'told') order.push('told');
  };
  return {
    order,
    pending,
    push(count) {
      for (let index = 0; index < count; index += 1) {
        pending.reserve(1);
        const acceptedMs = performance.now();
        pending.push({ event: makeEvent(), bytes: 1, acceptedMs, told: false, resolve, reject: () => undefined });
      }
    },
    start: () => writer.start(),
  };
}

describe('The writer', () => {
  it('has the next batch at the server before callers hear of the one before', async () => {
    const { order, pending, push, start } = createWorld();
    push(2500);
    start();
    await pending.drained();
    expect(order).to.deep.equal(['sent 2000', 'sent 500', 'told']);
  });

  it('sends what nobody waits for in small parts, between which requests have their turn', async () => {
    const { order, pending, start } = createWorld();
    for (let index = 0; index < 1200; index += 1) pending.pushAnyway(createEntry(makeEvent(), 1));
    start();
    await pending.drained();
    expect(order).to.deep.equal(['sent 500', 'sent 500', 'sent 200']);
  });

  it('tells callers at once when nothing else waits', async () => {
    const { order, pending, push, start } = createWorld();
    push(10);
    start();
    await pending.drained();
    push(10);
    start();
    await pending.drained();
    expect(order).to.deep.equal(['sent 10', 'told', 'sent 10', 'told']);
  });

  it('ends a flush after the callers that it waits for were told', async () => {
    const { order, pending, push, start } = createWorld();
    push(2000);
    const drained = pending.drained().then(() => order.push('drained'));
    push(500);
    start();
    await drained;
    expect(order.slice(0, 4)).to.deep.equal(['sent 2000', 'sent 500', 'told', 'drained']);
  });

  it('sends nothing of a stream before it is opened, and asks once', async () => {
    const asked: string[] = [];
    const { order, pending, push, start } = createWorld((id) => {
      asked.push(id);
      order.push('opened');
      return Promise.resolve(true);
    });
    push(2500);
    start();
    await pending.drained();
    expect(order).to.deep.equal(['opened', 'sent 2000', 'sent 500', 'told']);
    expect(asked).to.have.length(1);
    expect(asked[0]).to.match(/^[0-9A-HJKMNP-TV-Z]{26}$/);
  });

  it('asks again, and keeps what waits, while the ledger gives no answer', async () => {
    let attempts = 0;
    const { order, pending, push, start } = createWorld(() => {
      attempts += 1;
      return Promise.resolve(attempts > 2);
    });
    push(3);
    start();
    await pending.drained();
    expect(attempts).to.equal(3);
    expect(order).to.deep.equal(['sent 3', 'told']);
  });
});
