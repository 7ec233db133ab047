/** A process that writes bytes to a socket, and then waits to be killed. Arguments: the socket's path, the bytes. */

import net from 'node:net';

const [path, bytes] = process.argv.slice(2);
const socket = net.connect(path!);
socket.write(bytes!);
