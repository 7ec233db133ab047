/**
 * Events and ticks into state. It reads no clock and no configuration beyond the limits of its tables, so the same lines with the
 * same arrivals give the same bytes, live and in replay. Where the tables lie in a linear memory, the compiled fold applies
 * the events (compiled-events.ts); ticks and the turn of the hour are the same code everywhere, here.
 */

import type { Decoder } from '../decode/decoder.js';
import { TICK_LIMITS, TICK_TIME } from '../model/tick.js';
import { areInForce, decodeLimits } from '../state/limits.js';
import type { Tables } from '../state/tables.js';
import { CompiledEvents } from './compiled-events.js';
import { Events } from './events.js';
import { Hours, type OnHour } from './hours.js';

export class Lifecycle {
  readonly #tables: Tables;
  readonly #decoder: Decoder;
  readonly #events: Events;
  readonly #compiled: CompiledEvents | null;
  readonly #hours: Hours;

  /**
   * @param decoder whose events are applied, made with `decodedEventFor` of the same tables
   * @param onHour who keeps the hours that are over
   */
  constructor(tables: Tables, decoder: Decoder, onHour: OnHour | null = null) {
    const { linear } = tables.memory;
    this.#tables = tables;
    this.#decoder = decoder;
    this.#events = new Events(tables, decoder.event);
    this.#compiled = linear === null ? null : new CompiledEvents(tables, linear, decoder);
    this.#hours = new Hours(tables, onHour);
  }

  /** The events' lines lie in this memory from now on, and all positions count from its start. */
  attach(lines: Uint8Array): void {
    this.#decoder.attach(lines.buffer, lines.byteOffset, lines.byteLength);
    this.#events.context.attach(new DataView(lines.buffer, lines.byteOffset, lines.byteLength));
    this.#compiled?.attach(lines);
  }

  /**
   * Applies the decoded event.
   * @param code EVENT_*
   * @param line its number in the log
   * @param arrivedUs when it arrived
   */
  apply(code: number, line: number, arrivedUs: number): void {
    if (arrivedUs >= this.#hours.endUs) this.#hours.turnTo(arrivedUs);
    const compiled = this.#compiled;
    if (compiled !== null) {
      compiled.apply(code, line, arrivedUs);
      return;
    }
    this.#events.context.attachScratch(this.#decoder.scratchView);
    this.#events.apply(code, line, arrivedUs);
  }

  /**
   * Applies a tick (model/tick.ts).
   * @param number its number; NaN: the next one, live. One that the state has in it already changes nothing.
   * @returns whether it changed the state: else it does not belong into the log
   */
  tick(kind: number, payload: Uint8Array, number: number, arrivedUs: number): boolean {
    const { board, limits } = this.#tables;
    const { context, workflows } = this.#events;
    if (number <= board.ticks) return false;
    context.arrived = arrivedUs / 1e6;
    this.#events.forgetRecent();
    switch (kind) {
      case TICK_TIME:
        if (!workflows.hasIdle(arrivedUs / 1e6)) return false;
        this.#hours.turnTo(arrivedUs);
        workflows.makeIdleStale(arrivedUs / 1e6);
        break;
      case TICK_LIMITS: {
        const wished = decodeLimits(payload);
        if (areInForce(wished, limits) && board.ticks > 0) return false;
        this.#hours.turnTo(arrivedUs);
        this.#tables.setLimits(wished);
        workflows.keepBounded();
        break;
      }
      default:
        // A later version's, in a log that it has written: what it changed there is not known here.
        return false;
    }
    this.#compiled?.takeLimits();
    board.setTicks(Number.isNaN(number) ? board.ticks + 1 : number);
    return true;
  }
}
