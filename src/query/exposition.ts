/**
 * The two text formats that Prometheus reads, written as bytes: its own (version 0.0.4) and OpenMetrics (1.0.0). They
 * differ in the name of a family (without `_total` and `_info` in OpenMetrics), in units, in how whole numbers are written
 * as bounds, and in the end.
 *
 * Bytes and not strings: ten thousand histograms are some 10 MB, of which most is the same head again and again.
 */

export type ExpositionFormat = 'prometheus' | 'openmetrics';

export interface Family {
  /** without the suffix of its type: `_total` of a counter, `_info` of an info */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'info';
  readonly help: string;
  /** the last word of the name, where it is a unit */
  readonly unit?: string;
}

export type Labels = Readonly<Record<string, string>>;

const BRACE = 0x7b;
const BRACE_END = 0x7d;
const SPACE = 0x20;
const COMMA = 0x2c;
const NEWLINE = 0x0a;
const DIGIT_ZERO = 0x30;
/** Longest number, and what stands around it. */
const NUMBER_BYTES_MAX = 40;

const SUFFIXES = { counter: '_total', gauge: '', histogram: '', info: '_info' } as const;

export class Exposition {
  readonly format: ExpositionFormat;
  #bytes: Buffer;
  #length = 0;

  /** @param bytesLikely room to begin with */
  constructor(format: ExpositionFormat, bytesLikely = 64 * 1024) {
    this.format = format;
    this.#bytes = Buffer.allocUnsafe(bytesLikely);
  }

  /** Bytes written. */
  get length(): number {
    return this.#length;
  }

  /** Takes back what was written behind so many bytes. */
  cutBack(length: number): void {
    this.#length = length;
  }

  /** The lines before a family's samples. */
  begin({ name, type, help, unit }: Family): void {
    const open = this.format === 'openmetrics';
    const shown = open ? name : name + SUFFIXES[type];
    const shownType = type === 'info' && !open ? 'gauge' : type;
    this.#text(`# HELP ${shown} ${escapeHelp(help, open)}\n# TYPE ${shown} ${shownType}\n`);
    if (open && unit !== undefined) this.#text(`# UNIT ${shown} ${unit}\n`);
  }

  sample({ name, type }: Family, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
    const list = pairs.length === 0 ? '' : `{${pairs.join()}}`;
    this.#text(`${name}${SUFFIXES[type]}${list} ${numberText(value)}\n`);
  }

  /** A family of one sample without labels. */
  single(family: Family, value: number): void {
    this.begin(family);
    this.sample(family, {}, value);
  }

  /**
   * One series of a histogram.
   * @param labels `key="value",…` as it will stand; the first `labelsLength` bytes of it
   * @param bounds as `boundBytes` gives them, ascending, without +Inf
   * @param cumulative how many values lie below each of them
   */
  histogram(
    name: Uint8Array,
    labels: Uint8Array,
    labelsLength: number,
    bounds: readonly Uint8Array[],
    cumulative: Float64Array,
    count: number,
    sum: number,
  ): void {
    const headBytes = name.length + BUCKET.length + labelsLength + 2;
    this.#reserve((bounds.length + 3) * (headBytes + 2 * NUMBER_BYTES_MAX));
    const bytes = this.#bytes;
    const head = this.#length;
    let at = this.#series(head, name, BUCKET, labels, labelsLength);
    if (labelsLength > 0) bytes[at++] = COMMA;
    const headEnd = at;
    for (let i = 0; i <= bounds.length; i++) {
      if (i > 0) {
        bytes.copyWithin(at, head, headEnd);
        at += headEnd - head;
      }
      const bound = i < bounds.length ? bounds[i]! : BOUND_INFINITE;
      // A loop: `set` is a call that costs more than these few bytes.
      for (let j = 0; j < bound.length; j++) bytes[at + j] = bound[j]!;
      at = this.#count(at + bound.length, i < bounds.length ? cumulative[i]! : count);
      bytes[at++] = NEWLINE;
    }
    at = this.#summary(at, name, COUNT, labels, labelsLength, count);
    this.#length = this.#summary(at, name, SUM, labels, labelsLength, sum);
  }

  /** The line of the count or of the sum. */
  #summary(
    from: number,
    name: Uint8Array,
    suffix: Uint8Array,
    labels: Uint8Array,
    labelsLength: number,
    value: number,
  ): number {
    const bytes = this.#bytes;
    let at = this.#series(from, name, suffix, labels, labelsLength);
    // Without labels there are no braces.
    if (labelsLength === 0) at--;
    else bytes[at++] = BRACE_END;
    bytes[at++] = SPACE;
    at += bytes.write(numberText(value), at, 'latin1');
    bytes[at++] = NEWLINE;
    return at;
  }

  /** @returns all that was written; nothing may be written after it */
  finish(): Uint8Array {
    if (this.format === 'openmetrics') this.#text('# EOF\n');
    return this.#bytes.subarray(0, this.#length);
  }

  /** `le="BOUND"} `, as it follows the labels of a bucket. */
  boundBytes(bound: number): Uint8Array {
    const text = numberText(bound);
    // As OpenMetrics wants whole numbers in bounds.
    const whole = this.format === 'openmetrics' && /^-?\d+$/.test(text);
    return Buffer.from(`le="${text}${whole ? '.0' : ''}"} `);
  }

  #series(
    at: number,
    name: Uint8Array,
    suffix: Uint8Array,
    labels: Uint8Array,
    labelsLength: number,
  ): number {
    const bytes = this.#bytes;
    bytes.set(name, at);
    bytes.set(suffix, at + name.length);
    let end = at + name.length + suffix.length;
    bytes[end++] = BRACE;
    for (let i = 0; i < labelsLength; i++) bytes[end + i] = labels[i]!;
    return end + labelsLength;
  }

  /** A count that most often is small. */
  #count(at: number, count: number): number {
    const bytes = this.#bytes;
    if (count > 0x7fff_ffff) return at + bytes.write(String(count), at, 'latin1');
    let digits = 1;
    for (let limit = 10; count >= limit; limit *= 10) digits++;
    let rest = count | 0;
    for (let i = at + digits - 1; i >= at; i--) {
      const tenth = (rest / 10) | 0;
      bytes[i] = DIGIT_ZERO + (rest - tenth * 10);
      rest = tenth;
    }
    return at + digits;
  }

  #text(text: string): void {
    this.#reserve(text.length * 3);
    this.#length += this.#bytes.write(text, this.#length);
  }

  #reserve(bytes: number): void {
    const wanted = this.#length + bytes;
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

const BUCKET = Buffer.from('_bucket');
const COUNT = Buffer.from('_count');
const SUM = Buffer.from('_sum');
const BOUND_INFINITE = Buffer.from('le="+Inf"} ');

export function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
}

function escapeHelp(text: string, openMetrics: boolean): string {
  const escaped = text.replace(/[\\\n]/g, (c) => (c === '\n' ? '\\n' : '\\\\'));
  return openMetrics ? escaped.replaceAll('"', '\\"') : escaped;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
