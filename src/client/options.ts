/** What a program may choose of its client, each with its default and its bounds. */

import { randomUUID } from 'node:crypto';
import { NAME_BYTES_MAX } from '../model/event.js';

/** What happens to a line when the queue is full. */
export type WhenFull = 'block' | 'drop-oldest';

export interface ClientOptions {
  /** `ingest.sock` in the runtime directory of the daemon */
  readonly path: string;
  /**
   * The name of this stream of lines, 1 to 256 bytes, for ever and for one running client at a time. Without it a random one, good
   * for as long as the process lives.
   */
  readonly client?: string;
  /** The lowest number that the program can still send, where it numbers its lines itself. */
  readonly first?: number;
  /** Lines that are not yet durable take at most so much memory (default 8 MiB). */
  readonly queueBytes?: number;
  /** `block` (default): `send` waits, `trySend` says no. `drop-oldest`: the oldest lines not yet written make room, and are counted. */
  readonly whenFull?: WhenFull;
  /** So much is written without waiting for more (default 64 KiB). */
  readonly batchBytes?: number;
  /** A line waits so long for others to be written with (default 5 ms). */
  readonly batchDelayMs?: number;
  /** The daemon is asked to make lines durable after so many bytes (default 1 MiB) … */
  readonly syncBytes?: number;
  /** … or so long after the first of them was written (default 1 s). */
  readonly syncDelayMs?: number;
  /** The first pause before a new connection; it doubles up to the longest, and each is shortened at random by up to half. */
  readonly reconnectMinMs?: number;
  /** Default 5 s. */
  readonly reconnectMaxMs?: number;
  /** Numbers in [0, 1) for the pauses. */
  readonly random?: () => number;
}

export type Settings = Required<Omit<ClientOptions, 'first'>> & { readonly first: number | undefined };

const DEFAULTS = {
  queueBytes: 8 * 1024 * 1024,
  batchBytes: 64 * 1024,
  batchDelayMs: 5,
  syncBytes: 1024 * 1024,
  syncDelayMs: 1000,
  reconnectMinMs: 50,
  reconnectMaxMs: 5000,
} as const;

const QUEUE_BYTES_MIN = 1024;
const QUEUE_BYTES_MAX = 2 ** 30;
/** setTimeout takes no longer one. */
export const DELAY_MS_MAX = 2 ** 31 - 1;

/** @throws TypeError, RangeError: what is wrong, and its bounds */
export function settingsOf(options: ClientOptions): Settings {
  const { path, client = `anonymous-${randomUUID()}`, first, whenFull = 'block' } = options;
  if (typeof path !== 'string' || path === '') throw new TypeError('path must name the ingest socket');
  const clientBytes = Buffer.byteLength(client);
  if (clientBytes < 1 || clientBytes > NAME_BYTES_MAX || Buffer.from(client).toString() !== client) {
    throw new RangeError(`client must be a name of 1 to ${NAME_BYTES_MAX} bytes, has ${clientBytes}`);
  }
  if (whenFull !== 'block' && whenFull !== 'drop-oldest') {
    throw new RangeError(`whenFull must be block or drop-oldest, is ${String(whenFull)}`);
  }
  const number = (name: keyof typeof DEFAULTS, min: number, max: number) => {
    return checked(name, options[name] ?? DEFAULTS[name], min, max);
  };
  const reconnectMinMs = number('reconnectMinMs', 1, DELAY_MS_MAX);
  return {
    path,
    client,
    first: first === undefined ? undefined : checked('first', first, 1, Number.MAX_SAFE_INTEGER),
    whenFull,
    queueBytes: number('queueBytes', QUEUE_BYTES_MIN, QUEUE_BYTES_MAX),
    batchBytes: number('batchBytes', 1, QUEUE_BYTES_MAX),
    batchDelayMs: number('batchDelayMs', 0, DELAY_MS_MAX),
    syncBytes: number('syncBytes', 1, QUEUE_BYTES_MAX),
    syncDelayMs: number('syncDelayMs', 0, DELAY_MS_MAX),
    reconnectMinMs,
    reconnectMaxMs: checked(
      'reconnectMaxMs',
      options.reconnectMaxMs ?? Math.max(reconnectMinMs, DEFAULTS.reconnectMaxMs),
      reconnectMinMs,
      DELAY_MS_MAX,
    ),
    random: options.random ?? Math.random,
  };
}

function checked(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`${name} must be a whole number from ${min} to ${max}, is ${value}`);
}
