/**
 * Which events a listener of the feed wants: those that agree with one value of every field that it names. A workflow or an
 * agent is found by length, hash and bytes as the decoder has left them, so no string is made for it.
 */

import { FIELD_AGENT, FIELD_WORKFLOW, SCRATCH_OFFSET } from '../decode/decoded-event.js';
import type { Decoder } from '../decode/decoder.js';
import { hashBytes } from '../model/hash.js';

interface Name {
  readonly bytes: Buffer;
  readonly hash: number;
}

export interface FeedFilterValues {
  /** Of each: none means any. */
  readonly types: readonly string[];
  readonly workflows: readonly string[];
  readonly agents: readonly string[];
}

export class FeedFilter {
  readonly #types: ReadonlySet<string>;
  readonly #workflows: readonly Name[];
  readonly #agents: readonly Name[];

  constructor({ types, workflows, agents }: FeedFilterValues) {
    this.#types = new Set(types);
    this.#workflows = workflows.map(nameOf);
    this.#agents = agents.map(nameOf);
  }

  /** @param decoder that has just decoded a line out of `bytes` @param type of that line */
  matches(decoder: Decoder, bytes: Uint8Array, type: string): boolean {
    if (this.#types.size > 0 && !this.#types.has(type)) return false;
    return (
      isOneOf(this.#workflows, decoder, bytes, FIELD_WORKFLOW) &&
      isOneOf(this.#agents, decoder, bytes, FIELD_AGENT)
    );
  }
}

function nameOf(text: string): Name {
  const bytes = Buffer.from(text);
  return { bytes, hash: hashBytes(bytes, 0, bytes.length) };
}

function isOneOf(names: readonly Name[], decoder: Decoder, line: Uint8Array, field: number): boolean {
  if (names.length === 0) return true;
  const { event } = decoder;
  const length = event.length[field]!;
  if (length === 0) return false;
  const offset = event.offset[field]!;
  const bytes = offset >= SCRATCH_OFFSET ? decoder.scratch : line;
  const from = offset & ~SCRATCH_OFFSET;
  for (const name of names) {
    if (name.hash !== event.hash[field] || name.bytes.length !== length) continue;
    if (name.bytes.equals(bytes.subarray(from, from + length))) return true;
  }
  return false;
}
