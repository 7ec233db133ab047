import assert from 'node:assert';
import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import { JsonScanner, PADDING_BYTES } from '../../src/decode/json-scanner.js';
import { Random } from './mutants.js';

const COUNT = Number(process.env.TALLYD_NUMBERS ?? 300_000);
const SEED = Number(process.env.TALLYD_SEED ?? 7);

const scanner = new JsonScanner();
scanner.bytes = new Uint8Array(1024);
scanner.view = new DataView(scanner.bytes.buffer);

function read(text: string): number {
  const length = Buffer.from(scanner.bytes.buffer).write(`${text}\n`, 3);
  scanner.bytes.fill(0x39, 3 + length, 3 + length + PADDING_BYTES);
  assert.strictEqual(scanner.readNumber(3), 2 + length, text);
  assert.strictEqual(scanner.skipNumber(3), 2 + length, text);
  return scanner.number[0]!;
}

test.each([
  '0',
  '-0',
  '0.0',
  '-0.0e5',
  '1700003506.458123',
  '1700003506.4581232',
  '1700003506.45812320709228515625',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '9007199254740993.0',
  '900719925474099.25',
  '999999999999999.999999999999999',
  '1.000000000000000',
  '1.999999999999999',
  '4503599627370496.5',
  '4503599627370497.5',
  '140737488355328.015625',
  '140737488355328.046875',
  '123456789012345.500000000000000',
  '1e22',
  '1e23',
  '9007199254740991e22',
  '123456789e-22',
  '5e-324',
  '2.4703282292062327e-324',
  '1.7976931348623157e308',
  '1.7976931348623159e308',
  '1e99999999999999999999',
  '1e-99999999999999999999',
  '0e99999999999999999999',
  '1E+0005',
  '0.1',
  '0.000000000000001',
  '0.0000000000000000000000001',
])('%s is read as Number reads it', (text) => {
  expect(read(text)).toBe(Number(text));
});

test(`${COUNT} texts of seed ${SEED} are read as Number reads them`, () => {
  const random = new Random(SEED);
  const digits = (count: number) => Array.from({ length: count }, () => random.below(10)).join('');
  const whole = () => (random.below(8) === 0 ? '0' : `${1 + random.below(9)}${digits(random.below(17))}`);
  // A tie or close to one: k halves of the last place, in decimals.
  const nearTie = () => {
    const exponent = 36 + random.below(14);
    const ulpHalf = 2 ** (exponent - 53);
    const base = 2 ** exponent + random.below(2 ** 30) * 2 * ulpHalf;
    const fraction = BigInt(Math.round((2 * random.below(2 ** 12) + 1) * ulpHalf * 2 ** 20));
    const decimals = ((fraction % 2n ** 20n) * 10n ** 20n) / 2n ** 20n;
    const text = `${Math.floor(base)}.${decimals
      .toString()
      .padStart(20, '0')
      .slice(0, 10 + random.below(6))}`;
    return text;
  };
  let differing = 0;
  for (let i = 0; i < COUNT; i++) {
    let text: string;
    switch (random.below(7)) {
      case 6:
        // Here the last place of the sum lies closest to what the division leaves.
        text = `${10 + random.below(90)}.${digits(15)}`;
        break;
      case 0:
        text = `${random.below(2) ? '-' : ''}${whole()}.${digits(1 + random.below(17))}`;
        break;
      case 1:
        text = `1${digits(9)}.${digits(1 + random.below(15))}`;
        break;
      case 2:
        text = `${whole()}${random.below(2) ? `.${digits(1 + random.below(8))}` : ''}e${random.below(60) - 30}`;
        break;
      case 3:
        text = nearTie();
        break;
      case 4:
        text = String((random.below(2 ** 32) + random.below(2 ** 20) / 2 ** 20) / (1 + random.below(1000)));
        break;
      default:
        text = whole();
    }
    if (!Object.is(read(text), Number(text))) {
      differing++;
      console.log(`seed ${SEED}: ${text} is read as ${scanner.number[0]}`);
    }
  }
  expect(differing).toBe(0);
});
