/** Every metric of the package by its OpenTelemetry name: kind, unit and meaning. It knows no figures and no SDK. */

/** What one metric is. */
export interface Metric {
  /** `counter`: grows for ever; `sum`: grows and shrinks, adds up over processes; `gauge`: does not add up; `histogram`: how large each was. */
  readonly kind: 'counter' | 'sum' | 'gauge' | 'histogram';
  /** In UCUM, as OpenTelemetry has it: `s`, `By`, or in braces what is counted. */
  readonly unit: string;
  /** What it says, for dashboards. */
  readonly description: string;
  /** Names of its attributes. */
  readonly attributes?: readonly string[];
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

/** The names; part of semver, as their attributes are. */
export type MetricName = HistogramName | ObservedName;

/** A metric that is told when something happens. */
export type HistogramName = 'audit.batch.size' | 'audit.write.duration';

/** A metric that is read when somebody collects. */
export type ObservedName =
  | 'audit.events'
  | 'audit.queue.depth'
  | 'audit.queue.memory'
  | 'audit.queue.age'
  | 'audit.spool.size'
  | 'audit.write.retries'
  | 'audit.lost'
  | 'audit.blocked'
  | 'hooks.errors'
  | 'secrets.hits'
  | 'secrets.misses'
  | 'secrets.provider.errors';

/** One value of a metric, for one value of its attributes. */
export interface Reading {
  readonly name: ObservedName;
  readonly value: number;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
}

/** All of them. */
export const METRICS: Readonly<Record<MetricName, Metric>> = {
  'audit.events': {
    kind: 'counter',
    unit: '{event}',
    description: 'Events stored, by action',
    attributes: ['action'],
  },
  'audit.queue.depth': { kind: 'sum', unit: '{event}', description: 'Events that wait for storage' },
  'audit.queue.memory': { kind: 'sum', unit: 'By', description: 'Estimated memory of the events that wait' },
  'audit.queue.age': { kind: 'gauge', unit: 's', description: 'How long the oldest event has been waiting' },
  'audit.spool.size': { kind: 'sum', unit: 'By', description: 'Bytes that events take in the spool' },
  'audit.batch.size': {
    kind: 'histogram',
    unit: '{event}',
    description: 'Events of one batch',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000],
  },
  'audit.write.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'How long one attempt to store a batch took',
    attributes: ['error.type'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
  },
  'audit.write.retries': { kind: 'counter', unit: '{batch}', description: 'Batches that have to be sent again' },
  'audit.lost': { kind: 'counter', unit: '{event}', description: 'Events lost for good' },
  'audit.blocked': {
    kind: 'counter',
    unit: '{operation}',
    description: 'Operations that the append-only guard refused',
  },
  'hooks.errors': { kind: 'counter', unit: '{error}', description: 'Listeners and filters of the app that failed' },
  'secrets.hits': { kind: 'counter', unit: '{read}', description: 'Reads answered from the cache' },
  'secrets.misses': { kind: 'counter', unit: '{read}', description: 'Reads for which a provider was asked' },
  'secrets.provider.errors': { kind: 'counter', unit: '{call}', description: 'Calls to a provider that failed' },
};
