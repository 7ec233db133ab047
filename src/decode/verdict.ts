/** What the value of a known key is, judged by the key alone; whether the key counts is the type's matter. */
export const VALUE_ABSENT = 0;
export const VALUE_GOOD = 1;
export const VALUE_WRONG_TYPE = 2;
export const VALUE_OUT_OF_RANGE = 3;
