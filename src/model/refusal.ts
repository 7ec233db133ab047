/** Why a line is refused: the word in `rejected_by_reason` and `rejects/`, and its number in shared memory. */

export const REFUSAL_REASONS = [
  'invalid_json',
  'invalid_utf8',
  'too_deep',
  'too_long',
  'missing_field',
  'wrong_type',
  'out_of_range',
  'unsupported',
  'internal',
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export const REFUSAL_INVALID_JSON = 0;
export const REFUSAL_INVALID_UTF8 = 1;
export const REFUSAL_TOO_DEEP = 2;
export const REFUSAL_TOO_LONG = 3;
export const REFUSAL_MISSING_FIELD = 4;
export const REFUSAL_WRONG_TYPE = 5;
export const REFUSAL_OUT_OF_RANGE = 6;
export const REFUSAL_UNSUPPORTED = 7;
export const REFUSAL_INTERNAL = 8;
