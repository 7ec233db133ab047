/** A plot over time by uPlot: its values in words above it, drawn anew when data, size or colours change. */

import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { axisTime } from './clock-time.js';
import { useStore } from './store.js';
import { colorOf, shade } from './theme.js';

export interface Line {
  readonly label: string;
  /** a custom property of the style sheet */
  readonly color: string;
  readonly values: readonly (number | null)[];
  readonly fill?: boolean;
  readonly bars?: boolean;
  /** so few that each is marked: one that stands alone would else not be seen */
  readonly points?: boolean;
}

export interface ChartProps {
  readonly title: string;
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** seconds; what is older is not shown, and what is not known yet is blank */
  readonly window?: readonly [from: number, to: number];
  readonly logarithmic?: boolean;
  /** the values count something, so nothing lies between two whole numbers */
  readonly whole?: boolean;
  /** charts with one key move their cursors together */
  readonly group?: string;
  readonly height?: number;
  readonly note?: string | undefined;
}

const HEIGHT = 148;

export function Chart(props: ChartProps) {
  const { title, times, lines, format, height = HEIGHT, note } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [hovered, setHovered] = useState<number | null>(null);
  const shadeNow = useStore(shade);
  const latest = useRef(props);
  latest.current = props;
  const shape = lines.map(({ label, color }) => `${label}:${color}`).join();
  const drawn = times.length > 0;

  // Built anew when lines or colours change; data come by the other effect.
  useEffect(() => {
    if (!drawn) return;
    const element = box.current!;
    const options = optionsOf(latest, element.clientWidth, height, setHovered);
    const made = new uPlot(options, dataOf(latest.current), element);
    plot.current = made;
    const watching = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    watching.observe(element);
    return () => {
      watching.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, shadeNow, drawn, height]);

  useEffect(() => {
    plot.current?.setData(dataOf(props));
  });

  const at = hovered !== null && hovered < times.length ? hovered : times.length - 1;
  const words = lines.map(({ label, values }) => {
    const value = values[at];
    return [label, value === null || value === undefined ? '–' : format(value)] as const;
  });
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="legend">
          {words.map(([label, text], i) => (
            <span key={label} class="legend-item">
              <span class={`swatch c-${lines[i]!.color}`} aria-hidden="true" />
              {label} <b>{text}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div class="plot" ref={box} style={{ height: `${height}px` }} aria-hidden="true">
        {!drawn && <p class="plot-note">{note ?? 'Waiting for the first values…'}</p>}
      </div>
    </figure>
  );
}

function dataOf({ times, lines }: ChartProps): uPlot.AlignedData {
  return [times as number[], ...lines.map(({ values }) => values as (number | null)[])];
}

function optionsOf(
  latest: { readonly current: ChartProps },
  width: number,
  height: number,
  onHover: (index: number | null) => void,
): uPlot.Options {
  const { lines, logarithmic, whole, group } = latest.current;
  const quiet = colorOf('quiet');
  const grid = { stroke: colorOf('grid'), width: 1 };
  const font = '11px system-ui, sans-serif';
  return {
    width,
    height,
    padding: [8, 20, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { size: 6 },
      drag: { x: false, y: false },
      ...(group === undefined ? {} : { sync: { key: group } }),
    },
    scales: {
      x: {
        time: true,
        range: (_, min, max) => {
          const [from, to] = latest.current.window ?? [min, max];
          return [from, Math.max(to, from + 1)];
        },
      },
      y: logarithmic
        ? { distr: 3, range: (_, min, max) => logRange(min, max) }
        : { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
    },
    axes: [
      {
        stroke: quiet,
        font,
        grid: { show: false },
        ticks: { show: false },
        size: 22,
        gap: 4,
        space: 80,
        values: (_, ticks, __, ___, step) => ticks.map((tick) => axisTime(tick, step)),
      },
      {
        stroke: quiet,
        font,
        grid,
        ticks: { show: false },
        size: 58,
        gap: 6,
        space: 30,
        values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : latest.current.format(tick))),
        ...(whole ? { incrs: WHOLE_STEPS } : {}),
        ...(logarithmic
          ? {
              filter: (_, ticks) => ticks,
              splits: (_, __, min, max) => DURATION_TICKS.filter((tick) => tick >= min && tick <= max),
            }
          : {}),
      },
    ],
    series: [
      {},
      ...lines.map(({ label, color, fill, bars, points = false }) => {
        const stroke = colorOf(color);
        return {
          label,
          stroke,
          width: 1.5,
          points: points ? { show: true, size: 5, fill: stroke } : { show: false },
          spanGaps: false,
          ...(fill === true || bars === true ? { fill: bars === true ? stroke : `${stroke}22` } : {}),
          ...(bars === true ? { paths: uPlot.paths.bars!({ size: [0.8, 40], align: 1 }), width: 0 } : {}),
        };
      }),
    ],
    hooks: {
      setCursor: [(made) => onHover(made.cursor.idx ?? null)],
    },
  };
}

/** Seconds that are read at a glance, about a decade apart. */
const DURATION_TICKS = [
  1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36_000, 86_400, 864_000, 8_640_000,
];

const WHOLE_STEPS = Array.from({ length: 12 }, (_, i) => 10 ** i).flatMap((ten) => [ten, 2 * ten, 5 * ten]);

/** From tick to tick, so that an axis of logarithms has a number at both ends. */
function logRange(min: number, max: number): [number, number] {
  if (!(min > 0) || !(max > 0)) return [0.001, 1];
  const low = DURATION_TICKS.findLast((tick) => tick <= min) ?? DURATION_TICKS[0]!;
  const high = DURATION_TICKS.find((tick) => tick >= max) ?? DURATION_TICKS.at(-1)!;
  return [low, high > low ? high : low * 10];
}
