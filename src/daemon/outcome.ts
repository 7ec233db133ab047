/** A Failure that crosses threads: a message keeps its text, and not its code. */

import { Failure, type FailureCode } from '../model/failure.js';

export type Outcome<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'failure'; readonly code: FailureCode; readonly text: string };

/** On the thread that works. Other errors pass through. */
export async function outcomeOf<T>(work: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { kind: 'value', value: await work() };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { kind: 'failure', code: error.code, text: error.message };
  }
}

/** On the thread that waits. @throws Failure */
export function resultOf<T>(outcome: Outcome<T>): T {
  if (outcome.kind === 'value') return outcome.value;
  throw new Failure(outcome.code, outcome.text);
}
