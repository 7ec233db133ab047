/**
 * The one memory of a WebAssembly module, shared between threads, and parts of it one after another. The system hands out its
 * pages on first touch, so parts may be as large as limits allow.
 */

import type { MemoryPart } from './memory.js';

const PAGE_BYTES = 64 * 1024;
/** What addresses of 32 bits reach. */
const PAGES_MAX = 65_536;
/** Two cache lines, so that no two parts share the line that the prefetcher brings. */
const PART_ALIGNMENT = 128;

/** Gives out memory, zeros, for as long as the program runs. */
export type Allocate = (bytes: number) => MemoryPart;

export interface LinearMemory {
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  /** The first part, from address 0 on, which the module has for itself. */
  readonly own: MemoryPart;
}

/**
 * Lays out in one linear memory what `lay` allocates. It is called twice, and must ask for the same each time: first to see how
 * much that is, and then with the memory.
 * @param ownBytes for the module itself
 * @returns null where it is more than a linear memory can be
 * @throws RangeError where the system refuses the address space
 */
export function layOut<T>(
  module: WebAssembly.Module,
  ownBytes: number,
  lay: (allocate: Allocate, linear: LinearMemory | null) => T,
): T | null {
  const nothing = new Uint8Array(new SharedArrayBuffer(0));
  let end = aligned(ownBytes);
  lay((bytes) => {
    end += aligned(bytes);
    return nothing;
  }, null);
  const pages = Math.ceil(end / PAGE_BYTES);
  if (pages > PAGES_MAX) return null;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  let at = aligned(ownBytes);
  const allocate: Allocate = (bytes) => {
    const part = new Uint8Array(memory.buffer, at, wholeDoubles(bytes));
    at += aligned(bytes);
    return part;
  };
  return lay(allocate, { memory, module, own: new Uint8Array(memory.buffer, 0, ownBytes) });
}

function wholeDoubles(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/** What a part of so many bytes takes. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / PART_ALIGNMENT) * PART_ALIGNMENT;
}
