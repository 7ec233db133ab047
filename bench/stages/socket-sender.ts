/**
 * The sending process of the socket bench. Arguments: path of the socket, connections, rounds. Says `ready` when it is
 * connected; at `go` sends on every connection, in turns, so many rounds of `ROUND_LINES` lines in writes of 64 KiB.
 */

import { once } from 'node:events';
import { BlockingSocket } from '../../src/load/blocking-socket.js';
import { taskEndLines } from '../generated-log.js';
import { ROUND_LINES, WRITE_BYTES } from './socket-load.js';

const [path, connectionCount, rounds] = process.argv.slice(2);
const bytes = taskEndLines(ROUND_LINES);
const sockets: BlockingSocket[] = [];
for (let i = 0; i < Number(connectionCount); i++) sockets.push(await BlockingSocket.connect(path!));
process.send!('ready');
await once(process, 'message');
for (let round = 0; round < Number(rounds); round++) {
  for (let at = 0; at < bytes.length; at += WRITE_BYTES) {
    for (const socket of sockets) socket.write(bytes, at, at + WRITE_BYTES);
  }
}
for (const socket of sockets) socket.close();
process.disconnect();
