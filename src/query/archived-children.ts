/**
 * Children of workflows as the archive names them. The log only grows, so what was read of it once is kept for those that are
 * asked for again and again, as a page does.
 */

import type { LogFramePlace, LogIndex } from '../archive/log-index.js';
import { isBefore, type LogPosition } from '../archive/log-reader.js';
import type { ChildrenTask } from './named-children.js';

interface Known {
  /** All frames before this are read. */
  readonly upTo: LogPosition;
  readonly children: readonly string[];
}

/** Workflows that are kept, each with so many children at most. */
const PARENTS_MAX = 256;
const CHILDREN_MAX = 1000;

export class ArchivedChildren {
  readonly #index: LogIndex;
  readonly #reader: { children(task: ChildrenTask): Promise<string[]> };
  readonly #known = new Map<string, Known>();

  constructor(index: LogIndex, reader: { children(task: ChildrenTask): Promise<string[]> }) {
    this.#index = index;
    this.#reader = reader;
  }

  /** Ids, in the order in which each has named it last. */
  async of(parent: string, upTo: LogPosition): Promise<readonly string[]> {
    const places = await this.#index.framesOfChildren(parent, upTo);
    if (places.length === 0) return [];
    const known = this.#known.get(parent);
    const isNew = (frame: LogFramePlace) => known === undefined || !isBefore(frame, known.upTo);
    const frames = places.filter(isNew).map(({ path, offset, firstLine, lineCount }) => {
      return { path, offset, firstLine, lineCount };
    });
    const added = frames.length === 0 ? [] : await this.#reader.children({ parent, frames });
    const again = new Set(added);
    const children = [...(known?.children ?? []).filter((child) => !again.has(child)), ...added];
    this.#keep(parent, { upTo, children });
    return children;
  }

  #keep(parent: string, known: Known): void {
    this.#known.delete(parent);
    if (known.children.length > CHILDREN_MAX) return;
    this.#known.set(parent, known);
    if (this.#known.size > PARENTS_MAX) this.#known.delete(this.#known.keys().next().value!);
  }
}
