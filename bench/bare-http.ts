/**
 * What an answer over HTTP costs at least: a server of Node on a Unix socket that answers everything with the same text.
 * Arguments: path of the socket. Takes the text as a message, then says `ready`; ends at the next one.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';

const [text] = (await once(process, 'message')) as [string];
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
});
server.listen(process.argv[2]!, () => process.send!('ready'));
await once(process, 'message');
server.closeAllConnections();
server.close();
process.disconnect();
