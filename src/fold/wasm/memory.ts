/**
 * Memory as WebAssembly reaches it: what model/memory.ts is for JavaScript, loads and stores at an address of the one
 * linear memory. Compiled by AssemblyScript in its place. Nothing is checked: the indexes are those that JavaScript uses, and there
 * a wrong one would be a bug, too.
 */

/** Whether the processor makes stores visible in their order: said by the host. */
// @ts-expect-error: decorator
@external("host", "storesInOrder")
declare const storesInOrder: i32;

/** Where memory for the copy of an index that doubles lies: as much as half the largest one. */
// @ts-expect-error: decorator
@external("host", "scratch")
declare const scratch: usize;

/** From here to `arraysEnd` lie arrays that are nobody else's: taken one after another, and none is given back. */
// @ts-expect-error: decorator
@external("host", "arrays")
declare const arraysBegin: usize;

// @ts-expect-error: decorator
@external("host", "arraysEnd")
declare const arraysEnd: usize;

let arrays: usize = arraysBegin;

@final
export class Words {
  constructor(
    readonly base: usize,
    readonly length: i32,
  ) {}

  // @ts-expect-error: decorator
  @inline @operator("[]")
  get(at: i32): i32 {
    return load<i32>(this.base + ((<usize>at) << 2));
  }

  // @ts-expect-error: decorator
  @inline @operator("[]=")
  set(at: i32, value: i32): void {
    store<i32>(this.base + ((<usize>at) << 2), value);
  }

  fill(value: i32, from: i32 = 0, to: i32 = this.length): void {
    for (let at = from; at < to; at++) this[at] = value;
  }
}

@final
export class Doubles {
  constructor(
    readonly base: usize,
    readonly length: i32,
  ) {}

  // @ts-expect-error: decorator
  @inline @operator("[]")
  get(at: i32): f64 {
    return load<f64>(this.base + ((<usize>at) << 3));
  }

  // @ts-expect-error: decorator
  @inline @operator("[]=")
  set(at: i32, value: f64): void {
    store<f64>(this.base + ((<usize>at) << 3), value);
  }

  fill(value: f64, from: i32 = 0, to: i32 = this.length): void {
    for (let at = from; at < to; at++) this[at] = value;
  }

  copyWithin(target: i32, from: i32, to: i32): void {
    memory.copy(this.base + ((<usize>target) << 3), this.base + ((<usize>from) << 3), <usize>(to - from) << 3);
  }
}

@final
export class Bytes {
  constructor(
    readonly base: usize,
    readonly length: i32,
  ) {}

  // @ts-expect-error: decorator
  @inline @operator("[]")
  get(at: i32): i32 {
    return <i32>load<u8>(this.base + <usize>at);
  }

  // @ts-expect-error: decorator
  @inline @operator("[]=")
  set(at: i32, value: i32): void {
    store<u8>(this.base + <usize>at, value);
  }
}

@final
export class ByteView {
  constructor(
    readonly base: usize,
    readonly byteLength: i32,
  ) {}

  // @ts-expect-error: decorator
  @inline
  getInt32(offset: i32, littleEndian: boolean): i32 {
    return load<i32>(this.base + <usize>offset);
  }

  // @ts-expect-error: decorator
  @inline
  getUint8(offset: i32): i32 {
    return <i32>load<u8>(this.base + <usize>offset);
  }
}

@final
export class MemoryPart {
  constructor(
    readonly base: usize,
    readonly byteLength: f64,
  ) {}
}

export function wordsOf(part: MemoryPart): Words {
  return new Words(part.base, <i32>(part.byteLength / 4));
}

export function doublesOf(part: MemoryPart): Doubles {
  return new Doubles(part.base, <i32>(part.byteLength / 8));
}

export function bytesOf(part: MemoryPart): Bytes {
  return new Bytes(part.base, <i32>part.byteLength);
}

export function ownWords(length: i32): Words {
  return new Words(zeros(<usize>length << 2), length);
}

export function ownDoubles(length: i32): Doubles {
  return new Doubles(zeros(<usize>length << 3), length);
}

export function ownBytes(length: i32): Bytes {
  return new Bytes(zeros(<usize>length), length);
}

function zeros(bytes: usize): usize {
  const base = arrays;
  arrays = (base + bytes + 7) & ~7;
  if (arrays > arraysEnd) unreachable();
  memory.fill(base, 0, bytes);
  return base;
}

export function partOf(words: Words, from: i32, length: i32): Words {
  return new Words(words.base + ((<usize>from) << 2), length);
}

export function viewOfWords(words: Words): ByteView {
  return new ByteView(words.base, words.length << 2);
}

export function viewOfText(text: string): ByteView {
  const bytes = String.UTF8.encode(text);
  return new ByteView(changetype<usize>(bytes), bytes.byteLength);
}

export function loadAtomic(words: Words, at: i32): i32 {
  return atomic.load<i32>(words.base + ((<usize>at) << 2));
}

// @ts-expect-error: decorator
@inline
export function storeInOrder(words: Words, at: i32, value: i32): void {
  if (storesInOrder) store<i32>(words.base + ((<usize>at) << 2), value);
  else atomic.store<i32>(words.base + ((<usize>at) << 2), value);
}

export function demand(condition: boolean, message: string): void {
  if (!condition) unreachable();
}

/** Holds until the next one. */
export function copyOfWords(words: Words, from: i32, length: i32): Words {
  const copy = scratch;
  memory.copy(copy, words.base + ((<usize>from) << 2), <usize>length << 2);
  return new Words(copy, length);
}

/** Heapsort (Williams 1964): in place, no worse on a bad order. */
export function sortDoubles(values: Doubles, length: i32): void {
  for (let root = (length >> 1) - 1; root >= 0; root--) siftDown(values, root, length);
  for (let end = length - 1; end > 0; end--) {
    const last = values[end];
    values[end] = values[0];
    values[0] = last;
    siftDown(values, 0, end);
  }
}

function siftDown(values: Doubles, root: i32, length: i32): void {
  const value = values[root];
  let at = root;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= length) break;
    if (child + 1 < length && values[child + 1] > values[child]) child++;
    if (values[child] <= value) break;
    values[at] = values[child];
    at = child;
  }
  values[at] = value;
}

// @ts-expect-error: decorator
@inline
export function toWord(x: f64): i32 {
  return <i32>x;
}

// @ts-expect-error: decorator
@inline
export function leastWord(a: i32, b: i32): i32 {
  return a < b ? a : b;
}

// @ts-expect-error: decorator
@inline
export function mostWord(a: i32, b: i32): i32 {
  return a > b ? a : b;
}

export function powerBelow(x: i32): i32 {
  return 1 << (31 - clz<i32>(x));
}

// @ts-expect-error: decorator
@inline
export function highWord(x: f64): i32 {
  return <i32>(reinterpret<i64>(x) >> 32);
}

// @ts-expect-error: decorator
@inline
export function withHighWord(x: f64, high: i32): f64 {
  return reinterpret<f64>((reinterpret<i64>(x) & 0xffffffff) | (<i64>high << 32));
}
