/** What the exit codes mean, for the help and the manual page. */

import {
  EXIT_BUG,
  EXIT_CONFIG,
  EXIT_DENIED,
  EXIT_DONE,
  EXIT_IO,
  EXIT_NO,
  EXIT_TAKEN,
  EXIT_UNAVAILABLE,
  EXIT_USAGE,
} from '../model/failure.js';

export const EXIT_MEANINGS: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT_DONE, 'done'],
  [EXIT_NO, 'the answer is no: not ready, not found, damage found'],
  [EXIT_USAGE, 'wrong usage'],
  [EXIT_UNAVAILABLE, 'no daemon answers'],
  [EXIT_BUG, 'a bug'],
  [EXIT_TAKEN, 'another daemon holds the folders, or another program the port'],
  [EXIT_IO, 'input or output failed'],
  [EXIT_DENIED, 'not allowed'],
  [EXIT_CONFIG, 'the configuration is wrong'],
];
