/**
 * The protocol of sd_notify(3): what a service tells systemd, as datagrams of `KEY=VALUE` lines to the socket that the
 * environment names. Sending never waits, as the thread that reads the clients sends: what finds no room is told with the next.
 */

import { type DatagramSender, openDatagramSender } from './libc.js';

/** What an unanswering systemd can make the daemon keep. */
const UNSENT_MAX = 50;

export class NotifySocket {
  readonly #sender: DatagramSender;
  readonly #onError: (error: string) => void;
  #unsent: string[] = [];

  /** @param onError told each time that a datagram cannot be sent */
  constructor(sender: DatagramSender, onError: (error: string) => void) {
    this.#sender = sender;
    this.#onError = onError;
  }

  send(...assignments: readonly string[]): void {
    this.#unsent = [...this.#unsent, ...assignments].slice(-UNSENT_MAX);
    const error = this.#sender.send(Buffer.from(this.#unsent.join('\n')));
    if (error === null) this.#unsent = [];
    else this.#onError(error);
  }
}

/**
 * Takes the variable out of the environment: it is meant for this process alone.
 * @returns null where nobody wants to be told
 */
export function takeNotifySocket(
  env: NodeJS.ProcessEnv,
  onError: (error: string) => void,
): NotifySocket | null {
  const address = env.NOTIFY_SOCKET;
  delete env.NOTIFY_SOCKET;
  if (!address) return null;
  if (!/^[/@]./.test(address)) {
    onError(`NOTIFY_SOCKET is ${JSON.stringify(address)}, neither a path nor an abstract name`);
    return null;
  }
  return new NotifySocket(openDatagramSender(address), onError);
}

/**
 * Takes the variables of sd_watchdog_enabled(3) out of the environment.
 * @returns how long systemd waits for a sign of life, in ms; null: for ever
 */
export function takeWatchdogMs(env: NodeJS.ProcessEnv, pid: number): number | null {
  const { WATCHDOG_USEC, WATCHDOG_PID } = env;
  for (const name of ['WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(pid)) return null;
  const ms = Number(WATCHDOG_USEC) / 1000;
  return ms > 0 ? ms : null;
}
