/** Writes that give the document back: the server shows it as it was or as it became, in the same step, which no read beside it can. */
import { isRecord } from '../settings.js';
import type { Ground, Write } from './role-changes-ground.js';
import { idKey } from './role-changes-ids.js';
import { optionsOf, type SeenRoles } from './role-changes-reads.js';
import { RoleMoves, RolesBefore } from './role-changes-sets.js';

/** A write and the document that it is meant for. */
export interface Aimed {
  readonly write: Write;
  /** What the document was; undefined when there was none, or it could not be read. */
  readonly before: SeenRoles | undefined;
}

/** Runs `findOneAndUpdate` or `findOneAndReplace` and tells what it changed. */
export async function runFind(aimed: Aimed, ground: Ground): Promise<unknown> {
  const { write, before } = aimed;
  let result: unknown;
  try {
    result = await write.call(...write.args);
  } catch (error) {
    await ground.lookAfterFailure(write, RolesBefore.of(before), error);
    throw error;
  }
  const image = readImage(write, result);
  if (image !== undefined) await tellImage(aimed, image, ground);
  return result;
}

/** The document that a write gave back. */
interface Image {
  readonly document: unknown;
  readonly isAfter: boolean;
  /** Whether all of the document is there. */
  readonly isWhole: boolean;
  /** Whether the write may have inserted it. */
  readonly mayBeNew: boolean;
}

function readImage({ method, args }: Write, result: unknown): Image | undefined {
  const options = optionsOf(method, args);
  const document = options['includeResultMetadata'] === true ? (result as { value?: unknown } | null)?.value : result;
  if (!isRecord(document)) return undefined;
  return {
    document,
    isAfter: options['returnDocument'] === 'after',
    isWhole: isEmpty(options['projection']) && isEmpty(options['fields']) && options['raw'] !== true,
    mayBeNew: options['upsert'] === true,
  };
}

function isEmpty(projection: unknown): boolean {
  return projection === undefined || projection === null || (isRecord(projection) && !Object.keys(projection).length);
}

/** Never rejects. */
async function tellImage({ write, before }: Aimed, image: Image, ground: Ground): Promise<void> {
  try {
    const seen = image.isWhole ? ground.reader.in(image.document) : undefined;
    const was = image.isAfter ? sameOf(before, seen) : (seen ?? before);
    if (was === undefined) {
      // Nothing was there before: either it is new, or another moment brought it between the read and the write.
      if (!image.mayBeNew) ground.lose();
      return;
    }
    const is = image.isAfter && seen !== undefined ? seen : await ground.reader.one(was.id, write.session);
    const moves = new RoleMoves();
    if (is !== undefined) moves.add({ id: was.id, before: was.roles, after: is.roles });
    ground.tell(write, moves);
  } catch {
    ground.lose();
  }
}

/** What was read before, unless the write hit another document. */
function sameOf(before: SeenRoles | undefined, seen: SeenRoles | undefined): SeenRoles | undefined {
  const isOther = before !== undefined && seen !== undefined && idKey(before.id) !== idKey(seen.id);
  return isOther ? undefined : before;
}
