import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineSplitter } from '../../src/cli/line-splitter.js';

test('lines are the same wherever the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('', 'a', 'bcd', '\n', 'ä\n', '\r\n')), (chunks) => {
      const splitter = new LineSplitter();
      const lines = chunks.flatMap((chunk) => splitter.take(Buffer.from(chunk)).map(String));
      const parts = chunks.join('').split('\n');
      const last = parts.pop()!;
      expect(lines).toEqual(parts);
      expect(splitter.carriedBytes).toBe(Buffer.byteLength(last));
      expect(splitter.end()?.toString() ?? '').toBe(last);
    }),
  );
});
