/** What a line can be, as the decoder says it and the fold takes it. Bounds are those of the contract. */

export const LINE_EMPTY = 0;
export const EVENT_WORKFLOW_START = 1;
export const EVENT_WORKFLOW_PHASE = 2;
export const EVENT_WORKFLOW_STATUS = 3;
export const EVENT_WORKFLOW_END = 4;
export const EVENT_TASK_START = 5;
export const EVENT_TASK_END = 6;
export const EVENT_GROUP = 7;
export const EVENT_SAMPLE = 8;
/** A type that tallyd does not know: kept, counted, and without effect. */
export const EVENT_UNKNOWN = 9;
export const CONTROL_SYNC = 10;
export const CONTROL_HELLO = 11;
/** A control line that cannot be understood: answered with an error, never counted. */
export const CONTROL_MALFORMED = 12;

/** Strings that name things (ids, agents, kinds, phases, tags), in bytes of decoded UTF-8. */
export const NAME_BYTES_MAX = 256;
export const NESTING_MAX = 64;
export const TAGS_MAX = 16;
export const GROUP_MEMBERS_MAX = 1000;
/** Seconds. */
export const TS_MAX = 1e11;
