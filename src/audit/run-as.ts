/** Checks the actor that a job names for itself. */
import { assertOptions } from '../errors.js';
import type { Actor } from '../event.js';
import { isText, matches, objectOf, optional } from '../settings.js';
import { readId } from './identity.js';

const isActor = objectOf<Actor>({
  id: matches(
    (value) => value === null || readId(value) !== undefined,
    'a string, an ObjectId, a UUID, a number or null',
  ),
  role: optional(isText),
  onBehalfOf: optional(isText),
  tenantId: optional(isText),
});

/** The actor by value. @throws {@link OptionsError} OPTIONS_INVALID */
export function readRunAsActor(actor: Actor): Actor {
  assertOptions(isActor(actor, 'actor'));
  return { ...actor, id: readId(actor.id) ?? null };
}
