// Everything awaited can fail or time out.
import { Problem } from './errors.ts';

/**
 * The promise's outcome, or a `timeout` Problem after `limitMs`.
 * @param what names the thing waited for, and what to do: it ends up in the message.
 */
export async function withTimeout<T>(promise: Promise<T>, limitMs: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expiry = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Problem('timeout', `${what} (waited ${String(limitMs / 1000)} s)`));
    }, limitMs);
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
