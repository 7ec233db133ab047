import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import { Decoder } from '../../src/decode/decoder.js';
import { parseAcceptedLine } from '../../src/decode/field-text.js';
import { KEY_NAMES, KEY_UNKNOWN, keyOfName } from '../../src/decode/keys.js';
import { findLineEnd } from '../../src/decode/line-end.js';
import { decodeText } from './reading.js';

test('every key is found by its name, and by nothing that is close to it', () => {
  KEY_NAMES.forEach((name, key) => {
    expect(keyOfName(Buffer.from(`x${name}x`), 1, name.length)).toBe(key);
    const near = [name.slice(0, -1), `${name}_`, name.toUpperCase(), `${name.slice(0, -1)}_`];
    for (const other of near) {
      if (!(KEY_NAMES as readonly string[]).includes(other)) {
        expect(keyOfName(Buffer.from(other), 0, other.length)).toBe(KEY_UNKNOWN);
      }
    }
  });
});

test('a key counts the same written plainly, with a space behind it, and with an escape', () => {
  const decoder = new Decoder();
  const bare = decodeText(decoder, '{"type":"task.end","task":"t","agent":"a","status":"failed"}');
  for (const key of ['type', 'task', 'agent', 'status']) {
    const text = '{"type":"task.end","task":"t","agent":"a","status":"failed"}';
    const escaped = `\\u00${key.charCodeAt(0).toString(16)}${key.slice(1)}`;
    expect(decodeText(decoder, text.replace(`"${key}":`, `"${key}" \t:`))).toEqual(bare);
    expect(decodeText(decoder, text.replace(`"${key}":`, `"${escaped}":`))).toEqual(bare);
  }
});

test('the first line end is found at every distance, and none behind the bound', () => {
  const bytes = new Uint8Array(40);
  const view = new DataView(bytes.buffer);
  for (let from = 0; from < 8; from++) {
    for (let at = from; at < 40; at++) {
      bytes.fill(0x0b);
      bytes[at] = 0x0a;
      if (at + 2 < 40) bytes[at + 2] = 0x0a;
      expect(findLineEnd(bytes, view, from, 40)).toBe(at);
      expect(findLineEnd(bytes, view, from, at)).toBe(-1);
    }
  }
});

test('an accepted line is parsed with its last values and with U+FFFD for unpaired surrogates', () => {
  const line =
    '{"type":"x","a":1,"a":{"b":"\\ud800\\\\ud800 \\ud83d\\ude00"},"__proto__":5,"\\udc00":1,"\ufffd":2}\r\n';
  const shared = new Uint8Array(new SharedArrayBuffer(Buffer.byteLength(line)));
  shared.set(Buffer.from(line));
  const object = parseAcceptedLine(shared);
  expect(Object.entries(object)).toEqual([
    ['type', 'x'],
    ['a', { b: '\ufffd\\ud800 😀' }],
    ['__proto__', 5],
    ['\ufffd', 2],
  ]);
});
