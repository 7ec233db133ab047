/**
 * Requests that come over TCP must be meant for this host, since any web page can make its reader's browser send them. One
 * whose name was made to lead to 127.0.0.1 (DNS rebinding) may even read the answers, but its requests carry its name. One of
 * another origin cannot read them, but what it asks for by POST would be done.
 */

import type { IncomingMessage } from 'node:http';
import { Problem } from '../query/problem.js';

/** What a browser names as the page that asks: of this host, or none. */
const OWN_ORIGIN = /^https?:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/** The loopback by number or as `localhost`, with any port: it may be forwarded. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])\.?(:\d+)?$/i;

/** @throws Problem where the request names another host, in its Host header or in its target, or comes from a page of another */
export function requireLoopbackHost({ headers, url = '/' }: IncomingMessage): void {
  if (headers.origin !== undefined && !OWN_ORIGIN.test(headers.origin)) {
    const detail = `a page of ${JSON.stringify(headers.origin)} may not ask`;
    throw new Problem(403, 'Foreign origin', detail);
  }
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
