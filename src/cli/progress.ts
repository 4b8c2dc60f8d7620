/** How far a long command is: a bar on a terminal, a line now and then in a pipe, nothing with --json. On stderr; it knows not what is counted. */
import type { VerifyProgress } from '../evidence/report.js';
import type { Call } from './command.js';
import { inGroups } from './output.js';

/** Shows progress until it is stopped. */
export interface Progress {
  /** Shows where it is. May be called for every event. */
  update(progress: VerifyProgress): void;
  /** Ends it, also after a failure: a bar holds a timer. */
  stop(): void;
}

/** Milliseconds between two lines in a pipe. */
const LINE_EVERY_MS = 3000;
const SILENT: Progress = { update: () => undefined, stop: () => undefined };

/** Works and shows how far it is. */
export async function withProgress<Result>(
  call: Call,
  what: string,
  work: (update: Progress['update']) => Promise<Result>,
): Promise<Result> {
  const progress = await start(call, what);
  try {
    return await work(progress.update);
  } finally {
    progress.stop();
  }
}

function start({ flags, output, now }: Call, what: string): Progress | Promise<Progress> {
  if (flags.has('json')) return SILENT;
  return output.isTerminal ? drawBar(what) : writeLines(what, output.say, now);
}

async function drawBar(what: string): Promise<Progress> {
  const { SingleBar } = await import('cli-progress');
  const bar = new SingleBar({
    format: `${what} [{bar}] {percentage}% | {value} of {total} | {eta_formatted}`,
    formatValue: (value, _options, type) => (type === 'value' || type === 'total' ? inGroups(value) : String(value)),
    barCompleteChar: '#',
    barIncompleteChar: '.',
    clearOnComplete: true,
    // Otherwise a Ctrl-C leaves a terminal that wraps no lines.
    linewrap: true,
  });
  let isStarted = false;
  return {
    update({ done, total }) {
      // Events are recorded meanwhile: a bar does not go past its end.
      const end = Math.max(done, total, 1);
      if (!isStarted) bar.start(end, done);
      isStarted = true;
      if (bar.getTotal() !== end) bar.setTotal(end);
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
}

function writeLines(what: string, say: (line: string) => void, clock: () => number): Progress {
  let next = clock() + LINE_EVERY_MS;
  return {
    update({ done, total }) {
      const now = clock();
      if (now < next) return;
      next = now + LINE_EVERY_MS;
      say(`${what}: ${inGroups(done)} of ${inGroups(Math.max(done, total))}`);
    },
    stop: () => undefined,
  };
}
