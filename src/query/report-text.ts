/** The report as plain text, for `format=text`: whoever asks by hand, or puts it into a mail. */

import type { PartialReport, ReportScope } from './report.js';

const LABEL_WIDTH = 22;
const AGENTS_MAX = 20;

export function renderReportText(report: PartialReport, { workflow, project }: ReportScope): string {
  const over =
    workflow !== null ? `workflow ${workflow}` : project !== null ? `project ${project}` : 'everything';
  const lines = [`Performance report over ${printable(over)}`, ''];
  const row = (label: string, value: string) => lines.push(`${label.padEnd(LABEL_WIDTH)} ${value}`);
  const { parallel_executions: parallel, sequential_executions: sequential } = report;
  row('executions', `${report.total_executions} (${parallel} parallel, ${sequential} sequential)`);
  row('success rate', `${report.success_rate.toFixed(1)} %`);
  row('total duration', `${report.total_duration.toFixed(3)} s`);
  row('parallelization ratio', report.parallelization_ratio.toFixed(3));
  row('average speed-up', report.average_speedup.toFixed(2));
  row('measured speed-up', report.measured_speedup.toFixed(2));
  row('tokens', String(report.token_usage));
  row('efficiency score', `${report.efficiency_score.toFixed(1)} of 100`);
  lines.push(...agentLines(report));
  if (report.bottlenecks.length > 0) lines.push('', 'Bottlenecks');
  for (const { severity, type, description, suggestion } of report.bottlenecks) {
    lines.push(`  ${severity}: ${type}: ${description}`, `    ${suggestion}`);
  }
  if (report.partial) {
    lines.push('', 'Not whole: stats.max_series left no room for a row of every project and agent.');
  }
  return `${lines.join('\n')}\n`;
}

function agentLines({ agent_utilization: utilization }: PartialReport): string[] {
  const agents = Object.entries(utilization).sort(([, a], [, b]) => b - a);
  if (agents.length === 0) return [];
  const shown = agents.slice(0, AGENTS_MAX).map(([agent, seconds]) => {
    return `  ${printable(agent).padEnd(LABEL_WIDTH - 2)} ${seconds.toFixed(3)} s`;
  });
  const more = agents.length - shown.length;
  return ['', 'Agents, by time', ...shown, ...(more > 0 ? [`  and ${more} more`] : [])];
}

/** Ids and names are anybody's text: what could steer a terminal is shown as its number. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, (character) => {
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}
