/** One call to a provider: bounded in time, never rejecting, never waited for twice. It knows no names and no values. */

/** How a call ended. */
export type Reply =
  | { readonly kind: 'answered'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'late' }
  | { readonly kind: 'cancelled' };

/**
 * Calls, and resolves with how it ended: at the latest after the timeout, or when one of `cancels` runs meanwhile. The signal is aborted in
 * these two cases; what the provider says afterwards is dropped, a rejection too. The timer keeps the process alive
 * until then: a start-up that waits for a secret must fail, not end without a word.
 */
export function callProvider(
  call: (signal: AbortSignal) => unknown,
  timeoutMs: number,
  cancels?: Set<() => void>,
): Promise<Reply> {
  const controller = new AbortController();
  return new Promise((resolve) => {
    const timer = setTimeout(() => stop('late', 'TimeoutError'), timeoutMs);
    const cancel = (): void => stop('cancelled', 'AbortError');
    cancels?.add(cancel);

    function settle(reply: Reply): void {
      clearTimeout(timer);
      cancels?.delete(cancel);
      resolve(reply);
    }
    function stop(kind: 'late' | 'cancelled', reason: string): void {
      // Settled first: a provider that rejects as soon as its signal aborts must not turn the timeout into its own failure.
      settle({ kind });
      controller.abort(new DOMException('the answer is no longer awaited', reason));
    }
    invoke(call, controller.signal).then(
      (value) => settle({ kind: 'answered', value }),
      (error: unknown) => settle({ kind: 'threw', error }),
    );
  });
}

/** Async, so that a synchronous throw and an answer that is no promise are the same as their late forms. */
async function invoke(call: (signal: AbortSignal) => unknown, signal: AbortSignal): Promise<unknown> {
  return call(signal);
}
