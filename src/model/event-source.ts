/** Server-Sent Events out of a stream of text (HTML Standard, 9.2.6), as far as the daemon makes use of them. */

export interface ServerEvent {
  /** '' where it has none */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

export class EventSource {
  #carry = '';
  #id = '';
  #event = '';
  #data: string[] = [];

  /** @returns the events that this part completes */
  take(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const lines = (this.#carry + text).split('\n');
    this.#carry = lines.pop()!;
    for (const line of lines) {
      if (line === '') this.#dispatch(events);
      else this.#field(line);
    }
    return events;
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#event = value;
    else if (name === 'id') this.#id = value;
  }

  #dispatch(events: ServerEvent[]): void {
    if (this.#data.length > 0) {
      events.push({ id: this.#id, event: this.#event || 'message', data: this.#data.join('\n') });
    }
    this.#id = '';
    this.#event = '';
    this.#data = [];
  }
}
