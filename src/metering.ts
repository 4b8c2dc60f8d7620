/** The process's one meter: the figures of all rooms, handed to the OpenTelemetry SDK when there is one. It knows readings, not what they are of. */
import type * as OpenTelemetry from '@opentelemetry/api';
import { type HistogramName, type Metric, METRICS, type ObservedName, type Reading } from './metrics.js';

type Api = typeof OpenTelemetry;

/** Whose figures are read when somebody collects. */
export interface Source {
  /** The figures as they are now. MUST NOT throw. */
  read(): readonly Reading[];
}

/** Where figures go. Without `@opentelemetry/api`, or without an SDK that is registered there, they go nowhere. */
export interface Metering {
  /** Resolves when it is known whether `@opentelemetry/api` is there. */
  readonly loaded: Promise<void>;
  /** Has a source read from now on, if an SDK is there; else nothing is kept, so ask again. */
  join(source: Source): void;
  /** Reads a source no more; what it has counted stays counted. */
  leave(source: Source): void;
  /** Tells how large something was. */
  record(name: HistogramName, value: number, errorType?: string): void;
}

/** Registered, so that the ESM and the CommonJS build of this package share it: two meters would overwrite each other's figures. */
const KEY = Symbol.for('express-strongroom.metering.1');
const SCOPE = 'express-strongroom';

/** The one of this process. */
export function openMetering(): Metering {
  const holder = globalThis as { [KEY]?: Metering };
  if (holder[KEY] === undefined) Object.defineProperty(globalThis, KEY, { value: new Meters(loadApi()) });
  return holder[KEY] as Metering;
}

/** The app's own copy, which its SDK knows: an optional peer. */
async function loadApi(): Promise<Api | null> {
  try {
    return await import('@opentelemetry/api');
  } catch {
    return null;
  }
}

/** What is bound to one SDK. */
interface Bound {
  readonly observables: ReadonlyMap<string, OpenTelemetry.Observable>;
  readonly histograms: ReadonlyMap<string, OpenTelemetry.Histogram>;
  unbind(): void;
}

class Meters implements Metering {
  readonly loaded: Promise<void>;
  #api: Api | null = null;
  #provider: OpenTelemetry.MeterProvider | undefined;
  #bound: Bound | null = null;
  readonly #sources = new Set<Source>();
  /** What those who left this SDK had counted: a counter never goes back. */
  readonly #past = new Map<string, Reading>();

  constructor(api: Promise<Api | null>) {
    this.loaded = api.then((loaded) => {
      this.#api = loaded;
    });
  }

  join(source: Source): void {
    if (this.#bind() !== null) this.#sources.add(source);
  }

  leave(source: Source): void {
    if (!this.#sources.delete(source)) return;
    for (const reading of source.read()) {
      // What waited is nobody's any more; unsaid, the SDK would go on telling the last value.
      const isCounter = METRICS[reading.name].kind === 'counter';
      merge(this.#past, isCounter ? reading : { ...reading, value: 0 });
    }
  }

  record(name: HistogramName, value: number, errorType?: string): void {
    const histogram = this.#bind()?.histograms.get(name);
    histogram?.record(value, errorType === undefined ? undefined : { 'error.type': errorType });
  }

  /** Looked up each time: apps start their SDK before the room, after it, or again. */
  #bind(): Bound | null {
    if (this.#api === null) return null;
    const provider = this.#api.metrics.getMeterProvider();
    if (provider === this.#provider) return this.#bound;
    this.#provider = provider;
    this.#bound?.unbind();
    this.#bound = null;
    this.#past.clear();
    const meter = provider.getMeter(SCOPE);
    if (meter === this.#api.createNoopMeter()) this.#sources.clear();
    else this.#bound = bindTo(meter, (bound, result) => this.#observe(bound, result));
    return this.#bound;
  }

  #observe({ observables }: Bound, result: OpenTelemetry.BatchObservableResult): void {
    const sums = new Map(this.#past);
    for (const source of this.#sources) for (const reading of source.read()) merge(sums, reading);
    for (const { name, value, attributes } of sums.values()) {
      const observable = observables.get(name);
      if (observable !== undefined) result.observe(observable, value, attributes);
    }
  }
}

function bindTo(
  meter: OpenTelemetry.Meter,
  observe: (bound: Bound, result: OpenTelemetry.BatchObservableResult) => void,
): Bound {
  const observables = new Map<string, OpenTelemetry.Observable>();
  const histograms = new Map<string, OpenTelemetry.Histogram>();
  for (const [name, metric] of Object.entries<Metric>(METRICS)) {
    if (metric.kind === 'histogram') histograms.set(name, createHistogram(meter, name, metric));
    else observables.set(name, createObservable(meter, name, metric));
  }
  const all = [...observables.values()];
  const callback = (result: OpenTelemetry.BatchObservableResult): void => observe(bound, result);
  const bound = { observables, histograms, unbind: () => meter.removeBatchObservableCallback(callback, all) };
  meter.addBatchObservableCallback(callback, all);
  return bound;
}

function createHistogram(meter: OpenTelemetry.Meter, name: string, metric: Metric): OpenTelemetry.Histogram {
  const { unit, description, buckets = [] } = metric;
  return meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: [...buckets] } });
}

function createObservable(meter: OpenTelemetry.Meter, name: string, metric: Metric): OpenTelemetry.Observable {
  const { kind, unit, description } = metric;
  if (kind === 'counter') return meter.createObservableCounter(name, { unit, description });
  if (kind === 'sum') return meter.createObservableUpDownCounter(name, { unit, description });
  return meter.createObservableGauge(name, { unit, description });
}

/** Adds up; of gauges the largest counts. */
function merge(sums: Map<string, Reading>, reading: Reading): void {
  const key = `${reading.name}\n${Object.values(reading.attributes ?? {}).join('\n')}`;
  const before = sums.get(key)?.value ?? 0;
  const isGauge = METRICS[reading.name satisfies ObservedName].kind === 'gauge';
  sums.set(key, { ...reading, value: isGauge ? Math.max(before, reading.value) : before + reading.value });
}
