/** The commands that there are, in the order of the help. It knows nothing of what they do. */
import { adopt } from './adopt.js';
import { checkProofCommand } from './check-proof.js';
import type { Command } from './command.js';
import { doctor } from './doctor.js';
import { exportCommand } from './export.js';
import { keygen } from './keygen.js';
import { prove } from './prove.js';
import { provisionCommand } from './provision.js';
import { pruneCommand } from './prune.js';
import { verify } from './verify.js';

/** All of them. */
export const COMMANDS: readonly Command[] = [
  keygen,
  provisionCommand,
  doctor,
  verify,
  exportCommand,
  prove,
  checkProofCommand,
  adopt,
  pruneCommand,
];
