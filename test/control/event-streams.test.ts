/** The streams over a real HTTP server, with small limits. */

import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import {
  EVENT_STREAMS_DEFAULTS,
  EventStreams,
  type EventStreamsOptions,
} from '../../src/control/event-streams.js';
import { FeedFixture } from '../query/feed-fixture.js';
import { FeedClient } from '../support/event-feed.js';
import { createFolder } from '../support/folder.js';

async function serve(given: Partial<EventStreamsOptions> = {}) {
  const fixture = new FeedFixture({ capacityBytes: 1024 * 1024 });
  const cutOffs: number[] = [];
  const onCutOff = (bytes: number) => cutOffs.push(bytes);
  const streams = new EventStreams(fixture.memory, { ...EVENT_STREAMS_DEFAULTS, onCutOff, ...given });
  const server: Server = createServer((request, response) => {
    const { searchParams } = new URL(request.url!, 'http://localhost');
    streams.serve(response, searchParams, undefined);
  });
  const folder = createFolder();
  await new Promise<void>((resolve) => server.listen(join(folder.path, 'control.sock'), resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    folder.remove();
  });
  return { fixture, streams, cutOffs, listen: (query = '') => FeedClient.listen(folder.path, query) };
}

test('a stream on which nothing happens shows now and then that it is there', async () => {
  const { listen } = await serve({ heartbeatMs: 5 });
  const feed = await listen();
  while (feed.comments.length < 3) await sleep(5);
  expect(feed.messages).toEqual([]);
});

test('nothing looks at the ring while nobody listens', async () => {
  const { fixture, listen } = await serve();
  const looks = vi.spyOn(globalThis, 'setTimeout');
  onTestFinished(() => looks.mockRestore());
  const feeds = [await listen(), await listen('?type=x')];
  while (looks.mock.calls.length < 3) await sleep(5);
  for (const feed of feeds) {
    feed.close();
    await feed.ended;
  }
  for (let quiet = 0; quiet < 10; ) {
    looks.mockClear();
    await sleep(30);
    quiet = looks.mock.calls.length === 0 ? quiet + 1 : 0;
  }
  // And the next one gets what is folded from then on.
  fixture.tryPublish(['{"type":"note","n":1}']);
  fixture.fold();
  const again = await listen();
  fixture.tryPublish(['{"type":"note","n":2}']);
  fixture.fold();
  expect((await again.atLeast(1))[0]).toMatchObject({ id: 2, data: '{"type":"note","n":2}' });
});

test('a reader that leaves more unsent than is allowed is cut off, and one beside it is not', async () => {
  const { fixture, listen, cutOffs } = await serve({ unsentBytesMax: 64 * 1024 });
  const deaf = await listen();
  deaf.response.pause();
  const other = await listen('?type=note');
  const text = 'x'.repeat(900);
  let sent = 0;
  while (cutOffs.length === 0) {
    fixture.tryPublish([`{"type":"filler","x":"${text}"}`, `{"type":"filler","x":"${text}"}`]);
    if (sent++ % 100 === 0) fixture.tryPublish(['{"type":"note"}']);
    fixture.fold();
    fixture.archive();
    if (sent % 100 === 0) await sleep(1);
  }
  expect(cutOffs).toEqual([expect.any(Number)]);
  expect(cutOffs[0]).toBeGreaterThan(64 * 1024);
  // One turn's messages, and what was allowed.
  expect(cutOffs[0]).toBeLessThan(512 * 1024);
  deaf.response.resume();
  expect(await deaf.ended).toBe(false);
  fixture.tryPublish(['{"type":"note","last":true}']);
  fixture.fold();
  while (!other.lines.includes('{"type":"note","last":true}')) await sleep(5);
});

test('closing sends what is folded, ends the streams, and cuts off who does not take it', async () => {
  const { fixture, streams, listen } = await serve();
  const feed = await listen();
  fixture.tryPublish(['{"type":"note"}']);
  fixture.fold();
  await streams.close();
  expect(await feed.ended).toBe(true);
  expect(feed.lines).toEqual(['{"type":"note"}']);
});
