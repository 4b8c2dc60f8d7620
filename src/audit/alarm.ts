/** Alarms while the app runs: someone seems to change the trail, or sealing does not keep up. Told as `audit:alarm` and as one line on stderr. */
import { StateError, tellOnStderr } from '../errors.js';
import type { HookBus } from '../hooks.js';

/** What was seen. */
export interface Alarm {
  /** A kind of violation, as in a report of `verify`, or `seal-lag`. */
  readonly kind: string;
  /** An event's `_id`, or `ledger#<n>`. */
  readonly where: string;
  /** One sentence for a person. */
  readonly detail: string;
}

/** Tells an alarm. */
export type RaiseAlarm = (alarm: Alarm) => void;

/** The ledger is not as this process left it. */
export class LedgerAlarmError extends StateError {
  /** What was seen. */
  readonly alarm: Alarm;

  constructor(alarm: Alarm) {
    super('LEDGER_ALARM', `${alarm.kind} at ${alarm.where}: ${alarm.detail}`);
    this.alarm = alarm;
  }
}

/** An alarm that lasts is told again after this time, not at every look. */
const REPEAT_AFTER_MS = 60_000;
const MAX_REMEMBERED = 1000;

/** Creates the alarm of one instance. */
export function createAlarm(hooks: HookBus): RaiseAlarm {
  const told = new Map<string, number>();
  return (alarm) => {
    const key = `${alarm.kind}\n${alarm.where}`;
    const now = performance.now();
    if (now - (told.get(key) ?? Number.NEGATIVE_INFINITY) < REPEAT_AFTER_MS) return;
    if (told.size >= MAX_REMEMBERED) told.clear();
    told.set(key, now);
    tellOnStderr({ message: 'the audit trail raised an alarm', ...alarm });
    hooks.emit('audit:alarm', alarm);
  };
}
