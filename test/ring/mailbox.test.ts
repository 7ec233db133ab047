/** The mailbox against a queue. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  allocateMailbox,
  MAIL_ERROR,
  MAIL_SUPERSEDED,
  MAIL_SYNC,
  MAIL_WELCOME,
  type Mail,
  MailboxReader,
  MailboxWriter,
  SEQ_NONE,
  TEXT_NONE,
  TEXT_NUMBER,
  TEXT_STRING,
} from '../../src/ring/mailbox.js';
import { assertVisiting } from '../support/corners.js';

const CAPACITY_BYTES = 1024;

function begun(at: number) {
  const memory = allocateMailbox(CAPACITY_BYTES);
  const cursors = new Int32Array(memory.cursors);
  cursors[0] = at | 0;
  cursors[32] = at | 0;
  return { writer: new MailboxWriter(memory), reader: new MailboxReader(memory) };
}

const message = fc.record({
  kind: fc.constantFrom(MAIL_SYNC, MAIL_ERROR, MAIL_WELCOME, MAIL_SUPERSEDED),
  connection: fc.nat(9000),
  generation: fc.nat(0x7fff_ffff),
  position: fc.integer({ min: 0, max: 2 ** 50 }),
  accepted: fc.integer({ min: 0, max: 2 ** 50 }),
  rejected: fc.nat(),
  seq: fc.oneof(fc.constant(SEQ_NONE), fc.integer({ min: 0, max: 2 ** 53 - 1 })),
  gap: fc.integer({ min: 0, max: 2 ** 53 - 1 }),
  known: fc.boolean(),
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
    assertVisiting(
      corners,
      ['exact fit', 'full', 'twice', 'wrapped'],
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
          const size = Math.ceil((72 + text.length) / 8) * 8;
          order += size;
          // A fold that died after it had posted posts the same again.
          for (let copy = 0; copy < (one.again ? 2 : 1); copy++) {
            const toEnd = CAPACITY_BYTES - (at % CAPACITY_BYTES);
            const pad = toEnd < size ? toEnd : 0;
            const fits = used + pad + size <= CAPACITY_BYTES;
            const posted = writer.tryPost(one.post, order, text);
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
  },
);

test('a message of the order that was taken last is dropped, the next one is not', () => {
  const { writer, reader } = begun(0);
  const letter = {
    kind: MAIL_SYNC,
    connection: 1,
    generation: 1,
    accepted: 0,
    rejected: 0,
    textKind: TEXT_NONE,
  };
  const post = (order: number) =>
    writer.tryPost(
      { ...letter, position: order, seq: SEQ_NONE, gap: 0, known: false },
      order,
      new Uint8Array(0),
    );
  const taken: number[] = [];
  for (const order of [0, 0, 0.5, 0, 0.5, 8, 8, 16]) {
    expect(post(order)).toBe(true);
    reader.takeAll((mail) => taken.push(mail.position));
  }
  expect(taken).toEqual([0, 0.5, 8, 16]);
});
