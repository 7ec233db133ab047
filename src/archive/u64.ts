/** Whole numbers below 2^53 as 8 bytes, little-endian. A BigInt would cost twice as much, and say no more. */

const TWO_32 = 2 ** 32;

export function writeU64(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value % TWO_32, at);
  bytes.writeUInt32LE(Math.floor(value / TWO_32), at + 4);
}

export function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * TWO_32;
}
