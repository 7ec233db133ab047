/** The word of a status in its colour: the same for workflows and for tasks, and in every command. */

import { escapeControls, NOTHING } from '../model/human.js';
import type { Colors } from './io.js';

/** @param text what is painted: by default the status itself; one that is in no list stays as it is */
export function paintStatus(status: string | null | undefined, colors: Colors, text = status): string {
  const shown = text == null || text === '' ? NOTHING : escapeControls(text);
  switch (status) {
    case 'completed':
      return colors.green(shown);
    case 'failed':
    case 'timeout':
      return colors.red(shown);
    case 'cancelled':
    case 'paused':
      return colors.yellow(shown);
    case 'running':
      return colors.cyan(shown);
    default:
      return shown;
  }
}
