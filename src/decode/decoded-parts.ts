/** What the decoder makes of a line beside the event that the fold applies: the members of a group, and what a control line says. */

import { GROUP_MEMBERS_MAX } from '../model/event.js';
import { ID_NONE } from './decoded-event.js';

/** A group's tasks where it names them, else its agents. */
export class DecodedMembers {
  areTasks = false;
  /** The arrays are one of two sets: read them anew. */
  offset: Int32Array = new Int32Array(GROUP_MEMBERS_MAX);
  length: Int32Array = new Int32Array(GROUP_MEMBERS_MAX);
  hash: Int32Array = new Int32Array(GROUP_MEMBERS_MAX);
}

export class DecodedControl {
  /** The id of a string: its decoded bytes; of a number: its text as it stands. */
  idKind = ID_NONE;
  idOffset = 0;
  idLength = 0;
  clientOffset = 0;
  clientLength = 0;
  clientHash = 0;
  first = Number.NaN;
  /** Of CONTROL_MALFORMED: the field and the rule, else empty. */
  reason = '';
}
