/** The mailbox against a queue. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  allocateMailbox,
  MAIL_ERROR,
  MAIL_SYNC,
  type Mail,
  MailboxReader,
  MailboxWriter,
  TEXT_NONE,
  TEXT_NUMBER,
  TEXT_STRING,
} from '../../src/ring/mailbox.js';

const CAPACITY_BYTES = 1024;

function begun(at: number) {
  const memory = allocateMailbox(CAPACITY_BYTES);
  const cursors = new Int32Array(memory.cursors);
  cursors[0] = at | 0;
  cursors[32] = at | 0;
  return { writer: new MailboxWriter(memory), reader: new MailboxReader(memory) };
}

const message = fc.record({
  kind: fc.constantFrom(MAIL_SYNC, MAIL_ERROR),
  connection: fc.nat(9000),
  generation: fc.nat(0x7fff_ffff),
  position: fc.integer({ min: 0, max: 2 ** 50 }),
  accepted: fc.integer({ min: 0, max: 2 ** 50 }),
  rejected: fc.nat(),
  textKind: fc.constantFrom(TEXT_NONE, TEXT_STRING, TEXT_NUMBER),
  text: fc.string({ unit: 'binary', maxLength: 64 }),
});

test.each([0, 2 ** 31 - 128, 2 ** 32 - 128])(
  'from byte %d on, every message comes out once, in order and unchanged',
  (start) => {
    const corners = new Set<string>();
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ post: message, again: fc.boolean() }) },
      { weight: 1, arbitrary: fc.constant(null) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const { writer, reader } = begun(start);
        const queue: Mail[] = [];
        let order = 0;
        let used = 0;
        let at = start;
        const take = () => {
          const taken: Mail[] = [];
          reader.takeAll((mail) => taken.push(mail));
          expect(taken).toEqual(queue);
          queue.length = 0;
          used = 0;
        };
        for (const one of steps) {
          if (one === null) {
            take();
            continue;
          }
          const text = Buffer.from(one.post.text);
          const size = Math.ceil((56 + text.length) / 8) * 8;
          order += size;
          // A fold that died after it had posted posts the same again.
          for (let copy = 0; copy < (one.again ? 2 : 1); copy++) {
            const toEnd = CAPACITY_BYTES - (at % CAPACITY_BYTES);
            const pad = toEnd < size ? toEnd : 0;
            const fits = used + pad + size <= CAPACITY_BYTES;
            const { kind, connection, generation, position, accepted, rejected, textKind } = one.post;
            const posted = writer.tryPost(
              kind,
              connection,
              generation,
              position,
              order,
              accepted,
              rejected,
              textKind,
              text,
            );
            expect(posted).toBe(fits);
            if (!fits) {
              corners.add('full');
              if (copy === 0) break;
              continue;
            }
            if (pad > 0) corners.add('wrapped');
            if (toEnd === size) corners.add('exact fit');
            if (copy === 1) corners.add('twice');
            used += pad + size;
            at += pad + size;
            if (copy === 0) queue.push({ ...one.post, text: text.toString() });
          }
        }
        take();
      }),
      { numRuns: 100 },
    );
    expect([...corners].sort()).toEqual(['exact fit', 'full', 'twice', 'wrapped']);
  },
);

test('a message of the order that was taken last is dropped, the next one is not', () => {
  const { writer, reader } = begun(0);
  const post = (order: number) =>
    writer.tryPost(MAIL_SYNC, 1, 1, order, order, 0, 0, TEXT_NONE, new Uint8Array(0));
  const taken: number[] = [];
  for (const order of [0, 0, 8, 8, 16]) {
    expect(post(order)).toBe(true);
    reader.takeAll((mail) => taken.push(mail.position));
  }
  expect(taken).toEqual([0, 8, 16]);
});
