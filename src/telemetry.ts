/** The figures of one room as metrics. It reads what the parts count already, and tells nobody's name, address or secret. */
import type { Recorder } from './audit/recorder.js';
import type { AuditStore } from './audit/store.js';
import { REGISTERED_ACTIONS } from './audit/vocabulary.js';
import type { AuditEvent } from './event.js';
import type { HookBus } from './hooks.js';
import { type Metering, openMetering, type Source } from './metering.js';
import type { Reading } from './metrics.js';
import type { SecretManager } from './secrets/manager.js';

/** What is read from the beginning. */
export interface TelemetryParts {
  readonly hooks: HookBus;
  readonly secrets: SecretManager;
  /** Where figures go. @defaultValue the one of this process */
  readonly metering?: Metering;
}

/** What is there once the room is put together. */
interface RoomParts {
  /** Null with `audit: false`: what is stored nowhere is not counted. */
  readonly recorder: Pick<Recorder, 'stats'> | null;
  /** Names of actions that the app registered: they are labels of their own. */
  readonly actions: readonly string[];
}

/** Telemetry of one room. No member throws. */
export interface Telemetry {
  /** The store, with a clock and a counter at its inserts. */
  measure(store: AuditStore): AuditStore;
  /** Counts events that are stored. */
  count(events: readonly AuditEvent[]): void;
  /** Has the figures read from now on. Once. */
  begin(room: RoomParts): void;
  /** Looks for an SDK; one that is there has found the room when this resolves. Each write looks, too. */
  settled(): Promise<void>;
  /** Ends it; what was counted stays counted. */
  end(): void;
}

/** The label of every action that the app made up as it went: labels cost memory in every system that keeps them. */
const OTHER = 'other';

/** Creates the telemetry of one room. */
export function createTelemetry(parts: TelemetryParts): Telemetry {
  return new RoomTelemetry(parts);
}

class RoomTelemetry implements Telemetry, Source {
  readonly #parts: TelemetryParts;
  readonly #metering: Metering;
  readonly #events = new Map<string, number>();
  #known: ReadonlySet<string> = new Set(REGISTERED_ACTIONS);
  #room: RoomParts | null = null;
  #retries = 0;
  #blocked = 0;

  constructor(parts: TelemetryParts) {
    this.#parts = parts;
    this.#metering = parts.metering ?? openMetering();
    parts.hooks.on('audit:blocked', () => {
      this.#blocked += 1;
    });
  }

  measure(store: AuditStore): AuditStore {
    const insert: AuditStore['insert'] = async (batch) => {
      const begunMs = performance.now();
      const outcome = await store.insert(batch);
      const isAnswered = outcome.kind !== 'unknown' && outcome.kind !== 'refused';
      if (!isAnswered) this.#retries += 1;
      this.#join();
      this.#metering.record('audit.batch.size', batch.length);
      const seconds = (performance.now() - begunMs) / 1000;
      this.#metering.record('audit.write.duration', seconds, outcome.kind === 'stored' ? undefined : outcome.kind);
      return outcome;
    };
    return { ...store, insert };
  }

  count(events: readonly AuditEvent[]): void {
    for (const { action } of events) {
      const label = this.#known.has(action) ? action : OTHER;
      this.#events.set(label, (this.#events.get(label) ?? 0) + 1);
    }
  }

  begin(room: RoomParts): void {
    this.#room = room;
    this.#known = new Set([...REGISTERED_ACTIONS, ...room.actions]);
    void this.settled();
  }

  async settled(): Promise<void> {
    await this.#metering.loaded;
    this.#join();
  }

  end(): void {
    this.#metering.leave(this);
    this.#room = null;
  }

  read(): readonly Reading[] {
    const { hooks, secrets } = this.#parts;
    const { hits, misses, providerErrors } = secrets.stats();
    const recorder = this.#room?.recorder ?? null;
    return [
      { name: 'hooks.errors', value: hooks.failures },
      { name: 'secrets.hits', value: hits },
      { name: 'secrets.misses', value: misses },
      { name: 'secrets.provider.errors', value: providerErrors },
      ...(recorder === null ? [] : this.#readTrail(recorder)),
    ];
  }

  #readTrail(recorder: Pick<Recorder, 'stats'>): readonly Reading[] {
    const { pending, pendingBytes, oldestMs, spoolBytes, lost } = recorder.stats();
    const events = [...this.#events].map(([action, value]) => ({
      name: 'audit.events' as const,
      value,
      attributes: { action },
    }));
    return [
      ...events,
      { name: 'audit.queue.depth', value: pending },
      { name: 'audit.queue.memory', value: pendingBytes },
      { name: 'audit.queue.age', value: oldestMs / 1000 },
      { name: 'audit.spool.size', value: spoolBytes },
      { name: 'audit.write.retries', value: this.#retries },
      { name: 'audit.lost', value: lost },
      { name: 'audit.blocked', value: this.#blocked },
    ];
  }

  #join(): void {
    if (this.#room !== null) this.#metering.join(this);
  }
}
