/** What the README's examples call their own room. It knows no app. */
import { strongroom, type Strongroom } from '../../../src/index.js';

/** A room over the trail that AUDIT_URI names. */
export const room: Strongroom = strongroom({ audit: { uri: { secret: 'AUDIT_URI' } } });
