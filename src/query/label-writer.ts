/**
 * The labels of a cell as Prometheus wants them, `key="value",…`, written as bytes: the names of the state are copied from
 * where they lie, and no string is made of them unless a key has to be changed (prometheus-names.ts).
 */

import { BLOCK_BYTES_MAX, type Names } from '../state/names.js';
import { escapeLabel } from './exposition.js';
import { exportedLabel, ORIGINAL_NAME_LABEL, TAKEN_LABELS } from './prometheus-names.js';

const LABELS_MAX = 16;
/** Of one label: a changed key is a few bytes longer, an escape doubles a byte of the value; `="",` stands around them. */
const LABEL_BYTES_MAX = 3 * BLOCK_BYTES_MAX + 16;

const TAKEN: readonly Uint8Array[] = TAKEN_LABELS.map((name) => Buffer.from(name));

const QUOTE = 0x22;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

export class LabelWriter {
  readonly bytes = new Uint8Array((LABELS_MAX + 1) * LABEL_BYTES_MAX);
  length = 0;
  readonly #names: Names;
  readonly #scratch = new Uint8Array(BLOCK_BYTES_MAX);

  constructor(names: Names) {
    this.#names = names;
  }

  /** @param refs [key, value, …] */
  hasChangedKey(refs: readonly number[]): boolean {
    for (let i = 0; i < refs.length; i += 2) {
      if (!isLabelName(this.#scratch, this.#names.copyBytes(refs[i]!, this.#scratch, 0))) return true;
    }
    return false;
  }

  /**
   * @param originalName of the metric, where its family does not say it; else null
   * @param refs [key, value, …]
   * @returns whether a key had to be changed
   */
  write(originalName: string | null, refs: readonly number[]): boolean {
    this.length = 0;
    if (originalName !== null) this.#writeText(ORIGINAL_NAME_LABEL, originalName);
    if (this.hasChangedKey(refs)) {
      for (const [key, value] of this.#changedLabels(refs)) this.#writeText(key, value);
      return true;
    }
    for (let i = 0; i < refs.length; i += 2) {
      this.#separate();
      this.length += this.#names.copyBytes(refs[i]!, this.bytes, this.length);
      this.bytes[this.length++] = EQUALS;
      this.bytes[this.length++] = QUOTE;
      this.#writeValue(this.#names.copyBytes(refs[i + 1]!, this.#scratch, 0));
      this.bytes[this.length++] = QUOTE;
    }
    return false;
  }

  /** Of keys that become one, that which was so before keeps its name, and the others have as many `_` more as it takes. */
  #changedLabels(refs: readonly number[]): [key: string, value: string][] {
    const labels = Array.from({ length: refs.length / 2 }, (_, i) => {
      const key = this.#names.text(refs[2 * i]!);
      return { key, exported: exportedLabel(key), value: this.#names.text(refs[2 * i + 1]!) };
    });
    labels.sort((a, b) => Number(a.key !== a.exported) - Number(b.key !== b.exported));
    const taken = new Set<string>();
    return labels.map(({ exported, value }) => {
      let key = exported;
      while (taken.has(key)) key += '_';
      taken.add(key);
      return [key, value];
    });
  }

  #writeText(key: string, value: string): void {
    this.#separate();
    const text = Buffer.from(`${key}="${escapeLabel(value)}"`);
    this.bytes.set(text, this.length);
    this.length += text.length;
  }

  #separate(): void {
    if (this.length > 0) this.bytes[this.length++] = COMMA;
  }

  /** What is in the scratch, escaped as `escapeLabel` does it. */
  #writeValue(count: number): void {
    const scratch = this.#scratch;
    const bytes = this.bytes;
    let at = this.length;
    for (let i = 0; i < count; i++) {
      const byte = scratch[i]!;
      if (byte === QUOTE || byte === BACKSLASH || byte === 0x0a) {
        bytes[at++] = BACKSLASH;
        bytes[at++] = byte === 0x0a ? 0x6e : byte;
      } else {
        bytes[at++] = byte;
      }
    }
    this.length = at;
  }
}

/** Whether `exportedLabel` leaves these bytes as they are. */
function isLabelName(bytes: Uint8Array, count: number): boolean {
  for (let i = 0; i < count; i++) {
    const byte = bytes[i]!;
    const lower = byte | 0x20;
    const isLetter = lower >= 0x61 && lower <= 0x7a;
    if (!isLetter && byte !== 0x5f && (byte < 0x30 || byte > 0x39 || i === 0)) return false;
  }
  if (count > 1 && bytes[0] === 0x5f && bytes[1] === 0x5f) return false;
  return !TAKEN.some((name) => name.length === count && name.every((byte, i) => byte === bytes[i]));
}
