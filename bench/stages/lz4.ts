/**
 * LZ4 frames of event lines, as the archive writes and reads them: ratio and speed by the size of the frame. Every frame
 * is decompressed again and compared, byte for byte. The baseline is what Node has built in.
 */

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import {
  compressFrame,
  decompressFrame,
  freeNativeMemory,
  nativeMemoryIsHeld,
} from '../../src/archive/lz4.js';
import { generateLog } from '../generated-log.js';
import { type Bench, type Comparison, check, type Figures } from '../harness.js';

export const lz4Bench: Bench = {
  name: 'lz4',
  goals: ['at least 200 MB/s at the frame size of the archive: a million events of 136 bytes take 136 MB'],
  nonGoals: ['the best ratio: an archive that holds clients back is worth less than one that is larger'],
  warmUps: 1,
  comparisons: ({ small }) => comparisons(small ? [64] : [64, 128, 256, 512, 1024], small ? 1 : 16),
  judge: (results) => {
    const frames = results.find(({ name }) => name.startsWith('512 KiB'))!;
    const median = frames.variants[0]!.figures['MB/s in']!.median;
    return [{ goal: '200 MB/s at 512 KiB', value: `${median.toFixed(0)} MB/s`, holds: median >= 200 }];
  },
};

const SHAPE = {
  tasksPerWorkflow: 50,
  workflowsAtOnce: 20,
  tasksAtOnce: 8,
  agents: 64,
  samplesPerTask: 1,
  escapesEvery: 0,
  texts: true,
};
const DEFLATE_FASTEST = 1;

/** @param frameKib sizes of frames @param mebibytes how much a pass compresses */
function* comparisons(frameKib: readonly number[], mebibytes: number): Generator<Comparison> {
  // A workflow of this shape has about 36 KiB.
  const { bytes } = generateLog({ ...SHAPE, workflows: mebibytes * 32 });
  check('enough lines', bytes.length >= mebibytes * 2 ** 20, true);
  for (const kib of frameKib) {
    const frames: Buffer[] = [];
    for (let at = 0; at < mebibytes * 2 ** 20; at += kib * 1024)
      frames.push(bytes.subarray(at, at + kib * 1024));
    yield {
      name: `${kib} KiB of lines a frame`,
      variants: [
        { name: 'lz4-napi', pass: () => pass(frames, compressFrame, decompressFrame) },
        {
          name: 'deflate, level 1',
          isBaseline: true,
          pass: () =>
            pass(
              frames,
              (raw) => deflateRawSync(raw, { level: DEFLATE_FASTEST }),
              (frame) => inflateRawSync(frame),
            ),
        },
      ],
    };
  }
}

async function pass(
  raws: readonly Buffer[],
  compress: (raw: Buffer) => Buffer,
  decompress: (frame: Buffer, rawBytes: number) => Buffer,
): Promise<Figures> {
  let compressMs = 0;
  let decompressMs = 0;
  let rawBytes = 0;
  let frameBytes = 0;
  for (const raw of raws) {
    const startedMs = performance.now();
    const frame = compress(raw);
    const compressedMs = performance.now();
    const again = decompress(frame, raw.length);
    decompressMs += performance.now() - compressedMs;
    compressMs += compressedMs - startedMs;
    rawBytes += raw.length;
    frameBytes += frame.length;
    check('whether the frame gives its lines back', again.equals(raw), true);
    if (nativeMemoryIsHeld()) await freeNativeMemory();
  }
  return {
    'MB/s in': rawBytes / compressMs / 1000,
    'MB/s out': rawBytes / decompressMs / 1000,
    ratio: rawBytes / frameBytes,
  };
}
