/**
 * The sending process of the pipeline. Arguments: path of the socket, connections, depth and bytes of a line (load.ts). Says
 * `ready` when it is connected; at `{ seconds, linesPerSecond }` sends (sending.ts), and says what it has sent, what was
 * acknowledged and what it has cost.
 */

import { once } from 'node:events';
import { BlockingSocket } from '../src/load/blocking-socket.js';
import { Load, SHORT_NAMES } from '../src/load/load.js';
import { type Order, type Sent, sendLoad } from '../src/load/sending.js';

export interface SenderResult extends Sent {
  readonly cpuSeconds: number;
}

const [path, connectionText, depthText, lineBytesText] = process.argv.slice(2);
const load = new Load({ lineBytes: Number(lineBytesText), names: SHORT_NAMES });
const sockets: BlockingSocket[] = [];
for (let i = 0; i < Number(connectionText); i++) sockets.push(await BlockingSocket.connect(path!));
process.send!('ready');
const [order] = (await once(process, 'message')) as [Pick<Order, 'seconds' | 'linesPerSecond'>];
const cpuBefore = process.cpuUsage();
const sent = sendLoad(load, sockets, { ...order, depth: Number(depthText), first: 0 });
const { user, system } = process.cpuUsage(cpuBefore);
process.send!({ ...sent, cpuSeconds: (user + system) / 1e6 } satisfies SenderResult);
for (const socket of sockets) socket.close();
process.disconnect();
