/** How a status shows: as a word in its colour, and as a glyph that says the same without one. */

import { escapeControls, NOTHING } from './human.js';
import type { Colors } from './io.js';

/** Statuses of workflows and tasks; any other stays as it is. */
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
