/** Reads the text formats of Prometheus strictly: whatever its parsers would refuse, or count wrongly, is an error here. */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ReadFamily {
  readonly type: string;
  readonly help: string;
  readonly unit: string | undefined;
  readonly samples: Sample[];
}

export interface ReadHistogram {
  /** without `le` */
  readonly labels: Readonly<Record<string, string>>;
  /** with +Inf */
  readonly bounds: readonly number[];
  readonly cumulative: readonly number[];
  readonly count: number;
  readonly sum: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"/;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ['', '_total'],
  gauge: [''],
  info: ['_info'],
  histogram: ['_bucket', '_count', '_sum'],
};

/** @throws Error with the line that is wrong */
export function readExposition(text: string): Map<string, ReadFamily> {
  const families = new Map<string, ReadFamily>();
  const seen = new Set<string>();
  let open = '';
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new Error('the last line does not end');
  if (lines.at(-1) === '# EOF') lines.pop();
  for (const line of lines) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE|UNIT) ([^ ]+) ?(.*)$/.exec(line) ?? [];
    if (kind === 'HELP') {
      if (families.has(name)) throw new Error(`a family twice: ${name}`);
      if (NAME.exec(name)?.[0] !== name) throw new Error(`no name of a metric: ${name}`);
      families.set(name, { type: '', help: rest, unit: undefined, samples: [] });
      open = name;
    } else if (kind !== undefined) {
      if (name !== open) throw new Error(`out of its place: ${line}`);
      families.set(name, { ...families.get(name)!, [kind.toLowerCase()]: rest });
    } else {
      const sample = readSample(line);
      const family = families.get(open)!;
      const isOwn = SUFFIXES[family.type]?.some((suffix) => sample.name === open + suffix);
      if (!isOwn) throw new Error(`not of the family ${open}, a ${family.type}: ${line}`);
      const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      if (seen.has(key)) throw new Error(`a series twice: ${line}`);
      seen.add(key);
      family.samples.push(sample);
    }
  }
  return families;
}

function readSample(line: string): Sample {
  const name = NAME.exec(line)?.[0] ?? '';
  const labels: Record<string, string> = {};
  let rest = line.slice(name.length);
  if (rest.startsWith('{')) {
    do {
      rest = rest.slice(1);
      const [all, key, value] = LABEL.exec(rest) ?? [];
      if (all === undefined || Object.hasOwn(labels, key!)) throw new Error(`no labels: ${line}`);
      labels[key!] = value!.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
      rest = rest.slice(all.length);
    } while (rest.startsWith(','));
    if (!rest.startsWith('}')) throw new Error(`labels without an end: ${line}`);
    rest = rest.slice(1);
  }
  const number = /^ (\S+)$/.exec(rest)?.[1];
  if (number === undefined) throw new Error(`no value: ${line}`);
  return { name, labels, value: numberOf(number) };
}

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  const value = Number(text);
  if (text === '' || (Number.isNaN(value) && text !== 'NaN')) throw new Error(`no number: ${text}`);
  return value;
}

interface Gathered {
  labels: Record<string, string>;
  bounds: number[];
  cumulative: number[];
  count: number;
  sum: number;
}

/** The series of a histogram family. @throws Error where its buckets cannot be those of a histogram */
export function readHistograms(name: string, { samples }: ReadFamily): ReadHistogram[] {
  const series = new Map<string, Gathered>();
  for (const { name: sampleName, labels, value } of samples) {
    const { le, ...others } = labels;
    const key = JSON.stringify(others);
    const one = series.get(key) ?? { labels: others, bounds: [], cumulative: [], count: -1, sum: Number.NaN };
    series.set(key, one);
    if (sampleName === `${name}_count`) {
      one.count = value;
    } else if (sampleName === `${name}_sum`) {
      one.sum = value;
    } else {
      one.bounds.push(numberOf(le!));
      one.cumulative.push(value);
    }
  }
  for (const { bounds, cumulative, count } of series.values()) {
    if (!bounds.every((bound, i) => i === 0 || bound > bounds[i - 1]!)) throw new Error(`bounds of ${name}`);
    if (!cumulative.every((value, i) => i === 0 || value >= cumulative[i - 1]!)) {
      throw new Error(`buckets of ${name} fall`);
    }
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name} has no +Inf`);
    if (cumulative.at(-1) !== count) throw new Error(`${name} counts otherwise`);
  }
  return [...series.values()];
}
