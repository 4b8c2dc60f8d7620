/** Which updates may change a watched path. */
import { expect } from 'chai';
import mongoose from 'mongoose';
import { createTouches } from '../../src/mongo/role-changes-touch.js';

const touches = createTouches(['role', 'account.roles']);
const { ObjectId } = mongoose.Types;

const YES: readonly (readonly [name: string, update: unknown])[] = [
  ['the path', { $set: { role: 'a' } }],
  ['a dotted path', { $push: { 'account.roles': 'a' } }],
  ['an element of it', { $set: { 'account.roles.0': 'a' } }],
  ['what is around it', { $set: { account: {} } }],
  ['an old name', { $rename: { role: 'x' } }],
  ['a new name', { $rename: { x: 'account.roles' } }],
  ['a replacement', { name: 'ann' }],
  ['no update at all', undefined],
  ['fields as a Map', { $set: new Map([['role', 'a']]) }],
  ['fields as a Map that names others', { $inc: new Map([['x', 1]]) }],
  ['fields that say what they are when they are sent', { $set: { x: 1, toBSON: () => ({ role: 'a' }) } }],
  ['an update that does', { $set: { x: 1 }, toBSON: () => ({ $set: { role: 'a' } }) }],
  ['$set of a pipeline', [{ $set: { x: 1 } }, { $set: { role: 'a' } }]],
  ['$addFields', [{ $addFields: { role: 'a' } }]],
  ['a dotted path of a pipeline', [{ $set: { 'account.roles': [] } }]],
  ['a nested path of a pipeline', [{ $set: { account: { x: 1, roles: [] } } }]],
  ['a path both nested and dotted', [{ $set: { 'account.roles': { x: 1 } } }]],
  ['an expression around it', [{ $set: { account: { $mergeObjects: ['$account', '$x'] } } }]],
  ['nothing around it', [{ $set: { account: {} } }]],
  ['an array around it', [{ $set: { account: [{ x: 1 }] } }]],
  ['an id around it', [{ $set: { account: new ObjectId() } }]],
  ['a time around it', [{ $set: { account: new Date() } }]],
  ['a Map around it', [{ $set: { account: new Map([['x', 1]]) } }]],
  ['a name that goes', [{ $unset: 'role' }]],
  ['one of several names that go', [{ $unset: ['x', 'account'] }]],
  ['$unset of something else', [{ $unset: { x: 1 } }]],
  ['$replaceWith', [{ $replaceWith: { x: 1 } }]],
  ['$replaceRoot', [{ $replaceRoot: { newRoot: '$x' } }]],
  ['$project', [{ $project: { x: 1 } }]],
  ['another stage behind a harmless one', [{ $set: { x: 1 } }, { $project: { x: 1 } }]],
  ['a stage as a Map', [new Map([['$set', { role: 'a' }]])]],
  ['fields of a stage as a Map', [{ $set: new Map([['role', 'a']]) }]],
  ['fields of a stage known when they are sent', [{ $set: { toBSON: () => ({ role: 'a' }) } }]],
  ['a stage that is none', ['role']],
];

const NO: readonly (readonly [name: string, update: unknown])[] = [
  ['another path', { $set: { x: 1, roles: [] }, $inc: { 'account.logins': 1 } }],
  ['what is set on insert', { $setOnInsert: { role: 'a' } }],
  ['$set of a pipeline', [{ $set: { x: 7 } }]],
  ['$addFields', [{ $addFields: { x: '$role', roles: [] } }]],
  ['a dotted path of a pipeline', [{ $set: { 'account.logins': 1 } }]],
  ['a nested path beside it', [{ $set: { account: { logins: { $add: ['$account.logins', 1] } } } }]],
  ['a name that goes', [{ $unset: 'x' }]],
  ['names that go', [{ $set: { x: 1 } }, { $unset: ['y', 'account.logins'] }]],
];

describe('createTouches()', () => {
  for (const [name, update] of YES) {
    it(`says yes to ${name}`, () => {
      expect(touches(update)).to.equal(true);
    });
  }
  for (const [name, update] of NO) {
    it(`says no to what it does not watch: ${name}`, () => {
      expect(touches(update)).to.equal(false);
    });
  }
});
