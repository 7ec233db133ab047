import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { listSegments } from '../../src/archive/segment-name.js';
import { testDaemon } from '../support/daemon.js';
import { seededRandom } from '../support/seeded-random.js';

/** Text that compresses badly, so that the compressed size is about the raw one. */
function noteLines(count: number, seed: number): string[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, n) => {
    const text = Array.from({ length: 12 }, () => random().toString(36).slice(2, 9)).join('');
    return JSON.stringify({
      type: 'task.end',
      task: `${seed}/${n}`,
      agent: 'a',
      workflow: `w${seed}`,
      status: 'completed',
      output: text,
    });
  });
}

test('segments of 4 KiB follow each other without a gap, and every line and every text is found in them', async () => {
  const daemon = await testDaemon({ 'archive.segment_bytes': '4KiB' });
  const client = await daemon.connect();
  const all: string[] = [];
  for (let batch = 0; batch < 60; batch++) {
    const lines = noteLines(20, batch);
    all.push(...lines);
    await client.send(...lines);
    await client.sync();
  }
  const segments = listSegments(daemon.archiveDir);
  expect(segments.length).toBeGreaterThan(20);
  expect((await daemon.status()).archive.segments).toBe(segments.length);
  const firstLines = segments.map(({ firstLine }) => firstLine);
  expect(firstLines[0]).toBe(1);
  // Each is closed by the frame that fills it, and each batch was a frame.
  expect(firstLines.every((line) => line % 20 === 1)).toBe(true);
  for (const { path } of segments.slice(0, -1)) {
    const { size } = statSync(path);
    expect(size).toBeGreaterThanOrEqual(4096);
    expect(size).toBeLessThan(4096 + 4096);
  }
  expect(await daemon.archiveLines()).toEqual(all);
  const { body } = await daemon.workflow('w7');
  expect(body.tasks.map((task: { output: string }) => task.output)).toEqual(
    noteLines(20, 7).map((line) => JSON.parse(line).output),
  );
  expect(await daemon.stop()).toBe(0);
  await daemon.restart({ 'archive.segment_bytes': '4KiB' });
  await daemon.send('{"type":"note"}');
  expect(await daemon.archiveLines()).toEqual([...all, '{"type":"note"}']);
  expect((await daemon.status()).archive.segments).toBe(listSegments(daemon.archiveDir).length);
});

test('a frame larger than a segment has a segment of its own', async () => {
  const daemon = await testDaemon({ 'archive.segment_bytes': '4KiB' });
  const lines = noteLines(12_000, 1);
  await daemon.send(...lines);
  expect(listSegments(daemon.archiveDir).length).toBeGreaterThan(1);
  expect(await daemon.archiveLines()).toEqual(lines);
});

test('a segment is closed at its age, whatever its size', async () => {
  const daemon = await testDaemon({ 'archive.segment_age': '200ms' });
  const client = await daemon.connect();
  for (let n = 1; n <= 3; n++) {
    await client.send(`{"type":"note","n":${n}}`);
    await client.sync();
    await client.send(`{"type":"note","n":${n}.5}`);
    await client.sync();
    await sleep(250);
  }
  expect(listSegments(daemon.archiveDir)).toHaveLength(3);
  expect(await daemon.archiveLines()).toHaveLength(6);
});
