/**
 * Runs a bench: variants of one job against each other, in passes that are interleaved (A B A B …), so that a machine that
 * is busy for a while is busy for all of them. Every pass checks its own result and throws when that is wrong, so
 * that no figure stands for work that was not done. All passes are printed; what is quoted is the median.
 */

export const PASSES = 7;

/** What one pass measured, by unit ("M lines/s"). The first is the one that variants are compared by. */
export type Figures = Readonly<Record<string, number>>;

/** Points of a line of a plot: what the one title says, against the other. */
export type Series = readonly (readonly [x: number, y: number])[];

export interface Variant {
  readonly name: string;
  /** What the other variants of the comparison are measured against. */
  readonly isBaseline?: boolean;
  /** @throws CheckFailure where the result is wrong */
  readonly pass: () => Figures | Promise<Figures>;
  /** Of the last pass, by title. */
  readonly series?: () => Readonly<Record<string, Series>>;
}

export interface Comparison {
  readonly name: string;
  readonly variants: readonly Variant[];
}

export interface Options {
  /** For tests: little work, no warm-up, goals not judged, nothing kept. */
  readonly small: boolean;
  readonly passes: number;
  /** Of the pipeline; null: as it says itself. */
  readonly seconds: number | null;
  readonly connections: readonly number[] | null;
  readonly eventBytes: readonly number[] | null;
  /** A folder for CPU profiles of the pipeline's daemon; null: none. */
  readonly profileDirectory: string | null;
}

export interface Bench {
  readonly name: string;
  readonly goals: readonly string[];
  readonly nonGoals: readonly string[];
  /** Passes of each variant that are thrown away first; 0 where a pass starts its own daemon. */
  readonly warmUps: number;
  /** One after the other, so that only one's data is in memory. */
  readonly comparisons: (options: Options) => Iterable<Comparison>;
  readonly judge?: (results: readonly ComparisonResult[]) => Verdict[];
}

export interface FigureResult {
  readonly passes: readonly number[];
  readonly median: number;
}

export interface VariantResult {
  readonly name: string;
  readonly isBaseline: boolean;
  readonly figures: Readonly<Record<string, FigureResult>>;
  readonly series: Readonly<Record<string, Series>>;
}

export interface ComparisonResult {
  readonly name: string;
  readonly variants: readonly VariantResult[];
}

export interface Verdict {
  readonly goal: string;
  readonly value: string;
  readonly holds: boolean;
}

export interface BenchResult {
  readonly goals: readonly string[];
  readonly nonGoals: readonly string[];
  readonly passes: number;
  readonly comparisons: readonly ComparisonResult[];
  readonly verdicts: readonly Verdict[];
}

/** The work was not done as it should have been, so its figures mean nothing. */
export class CheckFailure extends Error {}

export function check(what: string, actual: unknown, expected: unknown): void {
  if (!Object.is(actual, expected)) throw new CheckFailure(`${what} is ${actual}, and should be ${expected}`);
}

/** @param say takes the lines of the report as they come */
export async function runBench(
  bench: Bench,
  options: Options,
  say: (text: string) => void,
): Promise<BenchResult> {
  for (const goal of bench.goals) say(`goal: ${goal}`);
  for (const nonGoal of bench.nonGoals) say(`not a goal: ${nonGoal}`);
  say('');
  const comparisons: ComparisonResult[] = [];
  for (const comparison of bench.comparisons(options)) {
    const result = await runComparison(comparison, options.passes, options.small ? 0 : bench.warmUps);
    comparisons.push(result);
    say(renderComparison(result));
  }
  const verdicts = options.small ? [] : (bench.judge?.(comparisons) ?? []);
  for (const { goal, value, holds } of verdicts) say(`${holds ? 'pass' : 'FAIL'}: ${goal}: ${value}`);
  const { goals, nonGoals } = bench;
  return { goals, nonGoals, passes: options.passes, comparisons, verdicts };
}

async function runComparison(
  { name, variants }: Comparison,
  passes: number,
  warmUps: number,
): Promise<ComparisonResult> {
  const figures = variants.map(() => [] as Figures[]);
  for (let pass = -warmUps; pass < passes; pass++) {
    for (const [i, variant] of variants.entries()) {
      const figure = await measure(name, variant);
      if (pass >= 0) figures[i]!.push(figure);
    }
  }
  return {
    name,
    variants: variants.map((variant, i) => ({
      name: variant.name,
      isBaseline: variant.isBaseline === true,
      figures: collect(figures[i]!),
      series: variant.series?.() ?? {},
    })),
  };
}

async function measure(comparison: string, variant: Variant): Promise<Figures> {
  try {
    return await variant.pass();
  } catch (error) {
    if (error instanceof CheckFailure) error.message = `${comparison}, ${variant.name}: ${error.message}`;
    throw error;
  }
}

function collect(figures: readonly Figures[]): Record<string, FigureResult> {
  return Object.fromEntries(
    Object.keys(figures[0]!).map((unit) => {
      const passes = figures.map((figure) => figure[unit]!);
      return [unit, { passes, median: medianOf(passes) }];
    }),
  );
}

/** Of an even number of values the mean of the two in the middle. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The steepness of the straight line that is closest to the points, by least squares. */
export function slopeOf(xs: readonly number[], ys: readonly number[]): number {
  const meanX = xs.reduce((sum, x) => sum + x, 0) / xs.length;
  const meanY = ys.reduce((sum, y) => sum + y, 0) / ys.length;
  let xy = 0;
  let xx = 0;
  for (const [i, x] of xs.entries()) {
    xy += (x - meanX) * (ys[i]! - meanY);
    xx += (x - meanX) ** 2;
  }
  return xx === 0 ? Number.NaN : xy / xx;
}

function renderComparison({ name, variants }: ComparisonResult): string {
  const baseline = variants.find((variant) => variant.isBaseline);
  const lines = [name];
  for (const variant of variants) {
    let head = variant.name;
    let isFirst = true;
    for (const [unit, { passes, median }] of Object.entries(variant.figures)) {
      const cells = passes.map((value) => figureText(value).padStart(8)).join('');
      let line = `  ${head.padEnd(24)} ${unit.padEnd(22)}${cells}   median ${figureText(median)}`;
      const other = baseline?.figures[unit]?.median;
      if (isFirst && other !== undefined && variant !== baseline) {
        line += `   ${(median / other).toFixed(2)} × ${baseline!.name}`;
      }
      lines.push(line);
      head = '';
      isFirst = false;
    }
  }
  return `${lines.join('\n')}\n`;
}

function figureText(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}
