/** The numbers of a report as a person reads them, for `tallyd report` and `tallyd show`. */

import {
  escapeControls,
  humanCount,
  humanDuration,
  humanNumber,
  humanPercent,
  NOTHING,
} from '../model/human.js';
import type { Colors } from './io.js';
import { wrapWords } from './table.js';

export interface Bottleneck {
  readonly type: string;
  readonly severity: string;
  readonly description: string;
  readonly suggestion: string;
}

/** The contract, section 4. */
export interface Report {
  readonly total_executions: number;
  readonly parallel_executions: number;
  readonly sequential_executions: number;
  readonly total_duration: number;
  readonly average_speedup: number;
  readonly measured_speedup?: number | null;
  readonly parallelization_ratio: number;
  /** percent */
  readonly success_rate: number;
  readonly agent_utilization: Readonly<Record<string, number>>;
  readonly token_usage: number;
  readonly efficiency_score: number;
  readonly bottlenecks: readonly Bottleneck[];
  readonly suggestions: readonly string[];
  /** Some of what it is over was not kept apart, for want of room. */
  readonly partial?: boolean;
}

export function reportFacts(report: Report): [string, string][] {
  const parallel = `${humanCount(report.parallel_executions)} parallel (${humanPercent(report.parallelization_ratio)})`;
  return [
    [
      'executions',
      `${humanCount(report.total_executions)}   ${parallel}   ${humanCount(report.sequential_executions)} sequential`,
    ],
    ['completed', humanPercent(report.success_rate / 100)],
    ['task time', humanDuration(report.total_duration)],
    ['speed-up', `${times(report.average_speedup)} over groups   ${times(report.measured_speedup)} measured`],
    ['efficiency', `${humanNumber(Math.round(report.efficiency_score * 10) / 10)} of 100`],
    ['tokens', humanCount(report.token_usage)],
  ];
}

export function renderBottlenecks(
  bottlenecks: readonly Bottleneck[],
  { colors, width }: { readonly colors: Colors; readonly width: number },
): string {
  const lines = bottlenecks.flatMap(({ type, severity, description, suggestion }) => [
    `${paintSeverity(severity, colors)}  ${colors.bold(escapeControls(type))}`,
    ...wrapWords(escapeControls(description), width - 2).map((line) => `  ${line}`),
    ...wrapWords(`mend: ${escapeControls(suggestion)}`, width - 2).map((line) => `  ${line}`),
  ]);
  return `${[colors.bold('bottlenecks'), ...lines].join('\n')}\n`;
}

function paintSeverity(severity: string, colors: Colors): string {
  const text = escapeControls(severity);
  return severity === 'high' || severity === 'critical' ? colors.red(text) : colors.yellow(text);
}

function times(ratio: number | null | undefined): string {
  return typeof ratio === 'number' ? `${ratio.toFixed(2)} x` : NOTHING;
}
