/** The account of each connection in the status, and what a connection costs that does not read its answers. */

import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { testDaemon } from '../support/daemon.js';

const MIB = 1024 * 1024;
const event = (n: number) => JSON.stringify({ type: 'sample', name: 'm', value: 1, n });
const BAD = '{"type":"sample"}';

interface ConnectionView {
  readonly id: number;
  readonly client: string | null;
  readonly state: string;
  readonly since: number;
  readonly lines: number;
  readonly bytes: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly dropped: number;
  readonly in_flight: number;
  readonly unread_bytes: number;
}

test('each connection is listed with its client and its account, which closes, and adds up to that of the process', async () => {
  const daemon = await testDaemon();
  expect((await daemon.get('/v1/status?connections=1')).body.connections).toEqual([]);
  expect((await daemon.status()).connections).toBeUndefined();
  const startedAt = Date.now() / 1000;
  const numbered = await daemon.connect();
  await numbered.send({ type: 'hello', client: 'c 1' }, event(1), BAD, '', event(2));
  await numbered.sync();
  const plain = await daemon.connect();
  await plain.send(BAD, event(3));
  await plain.sync();
  const silent = await daemon.connect();
  await silent.sync();
  const { ingest, connections } = (await daemon.get('/v1/status?connections=1')).body;
  const views = connections as ConnectionView[];
  expect(views.map(({ client, accepted, rejected }) => [client, accepted, rejected]).sort()).toEqual([
    [null, 0, 0],
    [null, 1, 1],
    ['c 1', 2, 1],
  ]);
  for (const view of views) {
    expect(view).toMatchObject({ state: 'open', dropped: 0, in_flight: 0, unread_bytes: 0 });
    expect(view.lines).toBe(view.accepted + view.rejected + view.dropped + view.in_flight);
    expect(Math.abs(view.since - startedAt)).toBeLessThan(20);
  }
  for (const key of ['lines', 'bytes', 'accepted', 'rejected'] as const) {
    expect(views.reduce((sum, view) => sum + view[key], 0)).toBe(ingest[key]);
  }
  numbered.end();
  await numbered.closed;
  const rest = await daemon.get('/v1/status?connections=1');
  expect(rest.body.connections).toHaveLength(2);
});

test('tallyd status --connections prints them, and --json has them', async () => {
  const daemon = await testDaemon();
  const client = await daemon.connect();
  await client.send({ type: 'hello', client: 'the client\u001b[31m' }, event(1), BAD);
  await client.sync();
  const { stdout, code } = await daemon.command('status', '--connections');
  expect(code).toBe(0);
  expect(stdout).toMatch(/id +client .* lines +accepted +rejected +dropped +in flight/);
  expect(stdout).toMatch(/the client\S*\[31m .* open +\S+ \S+ +2 +1 +1 +0/);
  expect(stdout).not.toContain('\u001b');
  const json = await daemon.command('status', '--connections', '--json');
  expect(JSON.parse(json.stdout).connections).toMatchObject([{ lines: 2, accepted: 1, rejected: 1 }]);
});

test.each([
  ['errors', '{"type":"sync"}'],
  ['synced', `{"type":"sync","id":"${'x'.repeat(200)}"}`],
])(
  'a client with 1 MiB of unread %s is not read from, and gets every one of them when it reads',
  async (_, line) => {
    const daemon = await testDaemon({ 'ring.bytes': '1MiB' });
    const deaf = await daemon.connect();
    deaf.socket.pause();
    await deaf.send({ type: 'hello', client: 'deaf' });
    const count = 60_000;
    const writing = (async () => {
      for (let i = 0; i < count; i += 1000) await deaf.send(...Array(1000).fill(line));
    })();
    const isDeaf = (view: ConnectionView) => view.client === 'deaf';
    const viewOf = async () => {
      const { body } = await daemon.get('/v1/status?connections=1');
      return (body.connections as ConnectionView[]).find(isDeaf);
    };
    const until = performance.now() + 10_000;
    let muted = await viewOf();
    // From 1 MiB on it is not read from, but the kernel may take some more of the answers.
    while ((muted?.unread_bytes ?? 0) < MIB / 2 && performance.now() < until) muted = await viewOf();
    // What was in the ring by then still comes; then it stands still, while others go on.
    let before = muted;
    let after = muted;
    do {
      before = after;
      for (let i = 0; i < 20; i++) await daemon.send(event(i));
      after = await viewOf();
    } while (!isDeepStrictEqual(after, before) && performance.now() < until);
    expect(after).toEqual(before);
    expect(after!.unread_bytes).toBeGreaterThan(MIB / 2);
    expect(after!.bytes).toBeLessThan(count * line.length);
    deaf.socket.resume();
    await writing;
    await deaf.send(event(1));
    expect(await deaf.sync('end')).toMatchObject({ seq: 1, accepted: 1 });
    expect(deaf.replies).toHaveLength(count + 1);
    expect((await viewOf())!.unread_bytes).toBe(0);
  },
);
