/**
 * The thread that sends for `tallyd bench`. Takes the socket, the shape of the lines, what to send, and a word that is not 0
 * once it is to end early; says `ready` when all connections are there, and starts at the first message; says what it has
 * sent (sending.ts). Throws what the socket refuses.
 */

import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { BlockingSocket } from '../src/load/blocking-socket.js';
import { Load } from '../src/load/load.js';
import { type LoadTask, sendLoad } from '../src/load/sending.js';

const { ingestPath, connections, shape, order, stop } = workerData as LoadTask;
const load = new Load(shape);
const sockets: BlockingSocket[] = [];
for (let i = 0; i < connections; i++) sockets.push(await BlockingSocket.connect(ingestPath));
const begin = once(parentPort!, 'message');
parentPort!.postMessage('ready');
await begin;
parentPort!.postMessage(sendLoad(load, sockets, order, () => Atomics.load(stop, 0) !== 0));
for (const socket of sockets) socket.close();
parentPort!.close();
