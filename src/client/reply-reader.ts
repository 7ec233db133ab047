/** The daemon's answers: one JSON object a line, cut out of what a socket brings. */

/** An answer is a short line; what is longer is none. */
const REPLY_LENGTH_MAX = 64 * 1024;

/** Which fields it has follows from its type; the daemon is another program, so none is taken for granted. */
export interface Reply {
  readonly type?: unknown;
  readonly id?: unknown;
  readonly seq?: unknown;
  readonly accepted?: unknown;
  readonly rejected?: unknown;
  readonly client?: unknown;
  readonly known?: unknown;
  readonly gap?: unknown;
  readonly protocol?: unknown;
  readonly reason?: unknown;
}

export class ReplyReader {
  readonly #take: (reply: Reply) => void;
  #carry = '';

  constructor(take: (reply: Reply) => void) {
    this.#take = take;
  }

  /** @returns false where this is not how a tallyd speaks */
  read(text: string): boolean {
    const lines = (this.#carry + text).split('\n');
    this.#carry = lines.pop()!;
    for (const line of lines) {
      const reply = parse(line);
      if (reply === undefined) return false;
      this.#take(reply);
    }
    return this.#carry.length <= REPLY_LENGTH_MAX;
  }
}

function parse(line: string): Reply | undefined {
  try {
    const reply: unknown = JSON.parse(line);
    return typeof reply === 'object' && reply !== null ? reply : undefined;
  } catch {
    return undefined;
  }
}
