/**
 * What the decoder makes of a line, overwritten by the next one. Strings are spans of the bytes they were decoded
 * from: an offset below SCRATCH_OFFSET counts from the start of the attached memory, one at or above it lies in
 * `decoder.scratch` (the string was written with escapes). Lengths and hashes are those of the decoded UTF-8; hashes
 * are `hashBytes` of model/hash.ts. A field that the line's type does not know is absent, whatever the line says.
 */
import { GROUP_MEMBERS_MAX, TAGS_MAX } from '../model/event.js';
import { STATUS_NONE } from '../model/status.js';

export const FIELD_WORKFLOW = 0;
export const FIELD_TASK = 1;
export const FIELD_AGENT = 2;
export const FIELD_KIND = 3;
export const FIELD_NAME = 4;
export const FIELD_PROJECT = 5;
export const FIELD_PHASE = 6;
export const FIELD_PARENT = 7;
export const FIELD_COUNT = 8;

/** Bits in `texts`: the line brings this text. It is not decoded: state keeps the number of the line only. */
export const TEXT_REQUEST = 1;
export const TEXT_DESCRIPTION = 2;
export const TEXT_ERROR = 4;
/** Any JSON but null. */
export const TEXT_OUTPUT = 8;

export const SCRATCH_OFFSET = 0x4000_0000;

export const PARALLEL_ABSENT = 0;
export const PARALLEL_FALSE = 1;
export const PARALLEL_TRUE = 2;

/** The kinds of a sync line's id. */
export const ID_NONE = 0;
export const ID_STRING = 1;
export const ID_NUMBER = 2;

export class DecodedEvent {
  /** By FIELD_*. Length 0: absent, and then offset and hash say nothing. */
  readonly offset = new Int32Array(FIELD_COUNT);
  readonly length = new Int32Array(FIELD_COUNT);
  readonly hash = new Int32Array(FIELD_COUNT);

  /** STATUS_* of model/status.ts. */
  status = STATUS_NONE;
  parallel = PARALLEL_ABSENT;
  texts = 0;

  /** Seconds, NaN when absent; so are the three below. */
  ts = Number.NaN;
  duration = Number.NaN;
  tokens = Number.NaN;
  value = Number.NaN;

  /** Of a group: its tasks where it names them, else its agents. The arrays are one of two sets: read them anew. */
  memberCount = 0;
  membersAreTasks = false;
  memberOffset: Int32Array = new Int32Array(GROUP_MEMBERS_MAX);
  memberLength: Int32Array = new Int32Array(GROUP_MEMBERS_MAX);
  memberHash: Int32Array = new Int32Array(GROUP_MEMBERS_MAX);

  /** Of a sample: sorted by the bytes of their keys, each key once, absent ones left out. */
  tagCount = 0;
  readonly tagKeyOffset = new Int32Array(TAGS_MAX);
  readonly tagKeyLength = new Int32Array(TAGS_MAX);
  readonly tagKeyHash = new Int32Array(TAGS_MAX);
  readonly tagValueOffset = new Int32Array(TAGS_MAX);
  readonly tagValueLength = new Int32Array(TAGS_MAX);
  readonly tagValueHash = new Int32Array(TAGS_MAX);

  /** Of a control line. The id of a string: its decoded bytes; of a number: its text as it stands. */
  idKind = ID_NONE;
  idOffset = 0;
  idLength = 0;
  clientOffset = 0;
  clientLength = 0;
  clientHash = 0;
  first = Number.NaN;
  /** Of CONTROL_MALFORMED: the field and the rule, else empty. */
  controlReason = '';
}
