/**
 * A client that waits: sends one sync, waits for the durable acknowledgement of all before it, pauses, and so on. Its lines are
 * control lines, so that they are not in the sums of the load. Arguments: path of the socket. Says `ready`; at
 * `{ seconds, pauseMs }` begins, and then says how long it waited each time.
 */

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { BlockingSocket } from '../../src/load/blocking-socket.js';

export interface Probed {
  /** ms */
  readonly times: readonly number[];
}

const socket = await BlockingSocket.connect(process.argv[2]!);
process.send!('ready');
const [{ seconds, pauseMs }] = (await once(process, 'message')) as [{ seconds: number; pauseMs: number }];
const times: number[] = [];
let id = 0;
for (const endMs = performance.now() + seconds * 1000; performance.now() < endMs; await sleep(pauseMs)) {
  const line = Buffer.from(`{"type":"sync","id":${++id}}\n`);
  const startedMs = performance.now();
  socket.write(line, 0, line.length);
  const reply = JSON.parse(socket.readLine());
  if (reply.id !== id) throw new Error(`asked for ${id}, and was answered ${reply.id}`);
  times.push(performance.now() - startedMs);
}
socket.close();
const probed: Probed = { times };
process.send!(probed);
process.disconnect();
