/**
 * A process that sends the lines of a torture client at full speed, from where the daemon says on. SIGTERM ends it in order: it
 * flushes, and prints the number of its last line. Arguments: the socket's path, the client.
 */

import { setImmediate } from 'node:timers/promises';
import { connect } from '../../src/client/client.js';
import { READY, tortureLine } from './torture-lines.js';

const LINES_PER_TURN = 300;

const [path, name] = process.argv.slice(2);
const client = connect({
  path: path!,
  client: name!,
  reconnectMinMs: 2,
  reconnectMaxMs: 50,
  syncDelayMs: 20,
});
client.on('gap', (lines) => fail(`the daemon has lost ${lines} durable lines of ${name}`));
client.on('failed', (failure) => fail(failure.message));
let isOver = false;
process.on('SIGTERM', () => {
  isOver = true;
});
process.stdout.write(READY);

let { seq: n } = await client.ready();
while (!isOver) {
  for (let i = 0; i < LINES_PER_TURN; i++) {
    n++;
    const line = tortureLine(name!, n);
    if (!client.trySend(line)) await client.send(line);
  }
  await setImmediate();
}
await client.flush();
process.stdout.write(`${n}\n`, () => process.exit(0));

function fail(reason: string): void {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}
