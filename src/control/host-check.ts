/**
 * Requests that come over TCP must be meant for this host: a web page whose name was made to lead to 127.0.0.1 (DNS rebinding)
 * is let in by no browser's same-origin rule, but its requests still carry its name.
 */

import type { IncomingMessage } from 'node:http';
import { Problem } from '../query/problem.js';

/** The loopback by number or as `localhost`, with any port: it may be forwarded. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])\.?(:\d+)?$/i;

/** @throws Problem where the request names another host, in its Host header or in its target */
export function requireLoopbackHost({ headers, url = '/' }: IncomingMessage): void {
  const target = /^https?:\/\/([^/?#]*)/i.exec(url)?.[1];
  for (const host of [headers.host ?? '', ...(target === undefined ? [] : [target])]) {
    if (LOOPBACK.test(host)) continue;
    throw new Problem(
      421,
      'Misdirected request',
      `this is no host called ${JSON.stringify(host)}; ask for localhost or 127.0.0.1`,
    );
  }
}
