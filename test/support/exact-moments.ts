/**
 * Count, mean and variance of doubles in exact rational arithmetic: what the program's floating point is measured against.
 * Every double is m · 2^e with whole m and e, so sums of m and m² per e, as big integers, lose nothing.
 *
 * For ten million values a BigInt operation each is too slow. So m is cut into three parts of at most 18 bits, whose sums
 * and products stay exact in doubles for 2^16 additions, and only their sums become big integers.
 */

/** num / den, den > 0. */
export interface Rational {
  readonly num: bigint;
  readonly den: bigint;
}

const FLUSH_COUNT = 65536;

const value = new Float64Array(1);
const words = new Uint32Array(value.buffer); // little-endian, as everywhere that Node runs

class Parts {
  a = 0;
  b = 0;
  c = 0;
  aa = 0;
  ab = 0;
  ac = 0;
  bb = 0;
  bc = 0;
  cc = 0;
  sum = 0n;
  squares = 0n;

  flush(): void {
    this.sum += (BigInt(this.a) << 36n) + (BigInt(this.b) << 18n) + BigInt(this.c);
    this.squares +=
      (BigInt(this.aa) << 72n) +
      (BigInt(this.ab) << 55n) +
      (BigInt(this.ac) << 37n) +
      (BigInt(this.bb) << 36n) +
      (BigInt(this.bc) << 19n) +
      BigInt(this.cc);
    this.a = this.b = this.c = 0;
    this.aa = this.ab = this.ac = this.bb = this.bc = this.cc = 0;
  }
}

export class ExactMoments {
  count = 0;
  readonly #byExponent = new Map<number, Parts>();
  #exponent = Number.NaN;
  #parts = new Parts();

  static of(values: Iterable<number>): ExactMoments {
    const moments = new ExactMoments();
    for (const x of values) moments.add(x);
    return moments;
  }

  add(x: number): void {
    value[0] = x;
    const high = words[1]!;
    const low = words[0]!;
    const biased = (high >>> 20) & 0x7ff;
    const exponent = Math.max(biased, 1) - 1075;
    if (exponent !== this.#exponent) this.#turnTo(exponent);
    const top = (high & 0xfffff) | (biased === 0 ? 0 : 0x100000);
    const a = top >>> 4;
    const b = ((top & 15) << 14) | (low >>> 18);
    const c = low & 0x3ffff;
    const parts = this.#parts;
    const sign = x < 0 ? -1 : 1;
    parts.a += sign * a;
    parts.b += sign * b;
    parts.c += sign * c;
    parts.aa += a * a;
    parts.ab += a * b;
    parts.ac += a * c;
    parts.bb += b * b;
    parts.bc += b * c;
    parts.cc += c * c;
    this.count++;
    if (this.count % FLUSH_COUNT === 0) for (const each of this.#byExponent.values()) each.flush();
  }

  #turnTo(exponent: number): void {
    this.#exponent = exponent;
    let parts = this.#byExponent.get(exponent);
    if (parts === undefined) {
      parts = new Parts();
      this.#byExponent.set(exponent, parts);
    }
    this.#parts = parts;
  }

  get sum(): Rational {
    const { sum, exponent } = this.#totals();
    return scaled(sum, 1n, exponent);
  }

  get mean(): Rational {
    const { sum, exponent } = this.#totals();
    return scaled(sum, BigInt(this.count), exponent);
  }

  /** The sample variance (n − 1). */
  get variance(): Rational {
    const { sum, squares, exponent } = this.#totals();
    const n = BigInt(this.count);
    return scaled(n * squares - sum * sum, n * (n - 1n), 2 * exponent);
  }

  /** Sums of m and m² at the smallest exponent. */
  #totals(): { sum: bigint; squares: bigint; exponent: number } {
    const exponent = Math.min(...this.#byExponent.keys());
    let sum = 0n;
    let squares = 0n;
    for (const [each, parts] of this.#byExponent) {
      parts.flush();
      sum += parts.sum << BigInt(each - exponent);
      squares += parts.squares << BigInt(2 * (each - exponent));
    }
    return { sum, squares, exponent };
  }
}

function scaled(num: bigint, den: bigint, exponent: number): Rational {
  return exponent >= 0 ? { num: num << BigInt(exponent), den } : { num, den: den << BigInt(-exponent) };
}

/** The double as it is, not as it prints. */
export function rationalOf(x: number): Rational {
  return ExactMoments.of([x]).sum;
}

/** A double beside it, and itself where it is one. */
export function numberOf({ num, den }: Rational): number {
  return quotient(num, den);
}

/** (x − exact) / |exact|, to the precision of a double; 0 only where they are equal. */
export function relativeError(x: number, exact: Rational): number {
  if (!Number.isFinite(x)) return Number.POSITIVE_INFINITY;
  const { num, den } = rationalOf(x);
  return quotient(num * exact.den - exact.num * den, absolute(exact.num) * den);
}

/** The same for a square root, given the exact value of its square. */
export function relativeErrorOfRoot(x: number, exactSquare: Rational): number {
  const { num, den } = rationalOf(x);
  const error = quotient(
    num * num * exactSquare.den - exactSquare.num * den * den,
    absolute(exactSquare.num) * den * den,
  );
  return error / (1 + Math.sqrt(1 + error));
}

/** Correct decimal digits, NIST's log relative error: Infinity where the value is exact. */
export function correctDigits(error: number): number {
  return -Math.log10(Math.abs(error));
}

function absolute(x: bigint): bigint {
  return x < 0n ? -x : x;
}

function quotient(num: bigint, den: bigint): number {
  if (num === 0n) return 0;
  if (den === 0n) return Number.POSITIVE_INFINITY;
  // Both may lie far outside of the range of doubles: 64 bits of the quotient decide.
  const shift = den.toString(2).length - absolute(num).toString(2).length + 64;
  const bits = shift >= 0 ? (num << BigInt(shift)) / den : num / (den << BigInt(-shift));
  const half = Math.trunc(shift / 2);
  return Number(bits) * 2 ** -half * 2 ** -(shift - half);
}
