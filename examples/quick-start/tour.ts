/** Drives the app over HTTP as its users would, shows the trail, and tries to change it. Checks what it shows. */
import type { Model } from 'mongoose';
import { AppendOnlyError, type AuditEvent, type Strongroom } from '../../src/index.js';
import type { StoredUser } from './app.js';
import { type EvidenceParts, proveTrail } from './evidence.js';
import { promoteAll, reviewSupport } from './jobs.js';
import { printTable } from './table.js';

/** What the tour needs. */
export interface TourParts {
  base: string;
  room: Strongroom;
  Users: Model<StoredUser>;
  proving: EvidenceParts;
}

type Answer = Record<string, string>;

const ADMIN = { email: 'ada@example.com', password: 'correct horse battery staple' };
const CUSTOMER = { email: 'bob@example.org', password: 'hunter2 hunter2' };

/** What must stand in the trail afterwards, oldest first: action, status, who. */
const EXPECTED = [
  ['auth.register', 'success', 'ada'],
  ['auth.register', 'success', 'bob'],
  ['auth.login', 'failure', 'nobody'],
  ['auth.login', 'success', 'ada'],
  ['auth.login', 'success', 'bob'],
  ['access.denied', 'failure', 'bob'],
  ['user.role_change', 'failure', 'bob'],
  ['user.role_change', 'success', 'ada'],
  ['user.role_change', 'success', 'nightly-review'],
  ['secret.rotate', 'success', 'ada'],
  ['secret.rotate', 'success', 'ada'],
  ['auth.logout', 'success', 'bob'],
] as const;

/** Walks through everything; gives what was not as it should be, empty when all was well. */
export async function runTour({ base, room, Users, proving }: TourParts): Promise<string[]> {
  const send = createClient(base);
  const since = new Date();
  const people = await act(send, { room, Users });
  await room.audit.flush();
  const { events } = await room.audit.find({ from: since, limit: 100 });
  const oldestFirst = events.toReversed();
  printTrail(oldestFirst, people);
  const problems = [...compare(oldestFirst, people), ...findLeaks(oldestFirst)];
  const [first] = oldestFirst;
  if (first === undefined) return ['the trail is empty'];
  problems.push(...(await tryToChange(room, first)));
  problems.push(...(await proveTrail(proving, first)));
  printCurl(base);
  return problems;
}

type Send = (
  method: string,
  path: string,
  more?: { body?: object; token?: string },
) => Promise<{ status: number; answer: Answer }>;

function createClient(base: string): Send {
  return async (method, path, { body, token } = {}) => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    console.log(`  ${method.padEnd(4)} ${path} -> ${response.status}`);
    return { status: response.status, answer: text === '' ? {} : (JSON.parse(text) as Answer) };
  };
}

/** The acts, in the order of EXPECTED. Gives who is who. */
async function act(send: Send, { room, Users }: Pick<TourParts, 'room' | 'Users'>): Promise<Map<string, string>> {
  console.log('\nWhat the users do:');
  const ada = await send('POST', '/auth/register', { body: ADMIN });
  const bob = await send('POST', '/auth/register', { body: CUSTOMER });
  await send('POST', '/auth/login', { body: { ...CUSTOMER, password: 'a wrong guess' } });
  const adaIn = await send('POST', '/auth/login', { body: ADMIN });
  const bobIn = await send('POST', '/auth/login', { body: CUSTOMER });
  const admin = { token: adaIn.answer['token'] ?? '' };
  const customer = { token: bobIn.answer['token'] ?? '' };
  await send('GET', '/admin/report', customer);
  await send('PUT', `/users/${bob.answer['id']}/role`, { ...customer, body: { role: 'admin' } });
  await send('PUT', `/users/${bob.answer['id']}/role`, { ...admin, body: { role: 'support' } });
  console.log(`  job  nightly review: support taken back from ${await reviewSupport(room, Users)}`);
  console.log(`  job  everybody an admin: ${await promoteAll(Users)}`);
  await send('POST', '/admin/rotate-key', admin);
  await send('POST', '/auth/logout', customer);
  return new Map([
    [ada.answer['id'] ?? '', 'ada'],
    [bob.answer['id'] ?? '', 'bob'],
  ]);
}

function printTrail(events: readonly AuditEvent[], people: Map<string, string>): void {
  console.log('\nWhat the trail holds (no line of code in the app recorded any of it):');
  const name = (id: string | null) => (id === null ? '-' : (people.get(id) ?? id));
  printTable(
    ['at', 'action', 'status', 'actor', 'role', 'target', 'reason', 'meta'],
    events.map((event) => [
      event.at.toISOString().slice(11, 23),
      event.action,
      event.status,
      name(event.actorId),
      event.actorRole,
      event.targetId === null ? event.target : `${event.target} ${name(event.targetId)}`,
      event.reason ?? '-',
      JSON.stringify(event.meta),
    ]),
  );
}

function compare(events: readonly AuditEvent[], people: Map<string, string>): string[] {
  const found = events.map(({ action, status, actorId }) => [
    action,
    status,
    actorId === null ? 'nobody' : (people.get(actorId) ?? actorId),
  ]);
  const problems = EXPECTED.flatMap((expected, index) => {
    const line = found[index]?.join(' ') ?? 'nothing';
    return line === expected.join(' ') ? [] : [`line ${index + 1}: expected ${expected.join(' ')}, found ${line}`];
  });
  if (found.length > EXPECTED.length) problems.push(`${found.length - EXPECTED.length} events too many`);
  return problems;
}

/** Neither an address nor a password may stand anywhere in the trail. */
function findLeaks(events: readonly AuditEvent[]): string[] {
  const text = JSON.stringify(events);
  const typed = [ADMIN.email, CUSTOMER.email, ADMIN.password, CUSTOMER.password, 'a wrong guess'];
  return typed.filter((value) => text.includes(value)).map(() => 'the trail holds what a user typed');
}

/** Each must be refused; gives those that were not. */
async function tryToChange(room: Strongroom, event: AuditEvent): Promise<string[]> {
  const { model } = room.audit;
  const filter = { _id: event._id };
  const attempts: Record<string, () => PromiseLike<unknown>> = {
    'Model.updateOne': () => model.updateOne(filter, { status: 'success' }),
    'Model.deleteMany': () => model.deleteMany({}),
    'document.save': async () => {
      const document = await model.findById(event._id).orFail();
      document.set('actorId', 'somebody else');
      await document.save();
    },
    'Model.bulkWrite': () => model.bulkWrite([{ deleteOne: { filter } }]),
    'Model.collection.replaceOne': async () => model.collection.replaceOne({ _id: event._id as never }, {}),
    'aggregate with $merge': () =>
      model.aggregate([{ $set: { status: 'error' } }, { $merge: { into: model.collection.name } }]),
    'collection.drop': async () => model.collection.drop(),
  };
  console.log('\nTrying to change it:');
  const problems: string[] = [];
  for (const [name, attempt] of Object.entries(attempts)) {
    const answer = await Promise.resolve(attempt()).then(
      () => 'NOT REFUSED',
      (error: unknown) => (isRefusal(error) ? error.message : String(error)),
    );
    console.log(`  ${name.padEnd(27)} ${answer}`);
    if (!answer.includes('append-only')) problems.push(`${name}: ${answer}`);
  }
  const [same] = (await room.audit.find({ from: event.at, limit: 1000 })).events.slice(-1);
  if (JSON.stringify(same) !== JSON.stringify(event)) problems.push('the event is not what it was');
  return problems;
}

function isRefusal(error: unknown): error is Error {
  return error instanceof AppendOnlyError;
}

function printCurl(base: string): void {
  console.log(`
Go on by hand (Ada is the admin):
  TOKEN=$(curl -s ${base}/auth/login -H 'content-type: application/json' -d '${JSON.stringify(ADMIN)}' | sed 's/.*"token":"\\([^"]*\\)".*/\\1/')
  curl -s "${base}/admin/trail?status=failure" -H "authorization: Bearer $TOKEN"
  curl -s "${base}/admin/trail?action=auth.login&from=2026-01-01" -H "authorization: Bearer $TOKEN"
  curl -s "${base}/admin/trail?statuss=failure" -H "authorization: Bearer $TOKEN"`);
}
