/**
 * Names of samples and tags, which may be any text, as Prometheus wants them. Every character that it does not take becomes `_`,
 * so two names may become one; what follows from that is in cell-metrics.ts.
 */

/** Of samples, before their name: none of them can take a name of the daemon's own metrics. */
const SAMPLE_PREFIX = 'tallyd_sample_';
const OWN_PREFIX = 'tallyd_';

/** Holds the name that the clients gave, where it could not stay as it was. */
export const ORIGINAL_NAME_LABEL = 'sample';

/** Labels that the exposition itself gives. */
export const TAKEN_LABELS: readonly string[] = ['le', ORIGINAL_NAME_LABEL];

/** Metrics that the fold itself makes samples of (contract, section 4). */
const OWN: ReadonlyMap<string, { help: string; unit?: string }> = new Map([
  ['task_duration_seconds', { help: 'Durations of ended tasks.', unit: 'seconds' }],
  ['task_tokens', { help: 'Tokens that ended tasks have used.' }],
  ['workflow_duration_seconds', { help: 'Durations of workflows with a known start.', unit: 'seconds' }],
  ['workflow_efficiency', { help: 'Efficiency scores of workflows at their ends.' }],
]);

export interface ExportedMetric {
  readonly name: string;
  readonly help: string;
  readonly unit?: string;
  /** Whether the name that the clients gave could not stay as it was. */
  readonly isChanged: boolean;
}

export function exportedMetric(name: string): ExportedMetric {
  const own = OWN.get(name);
  if (own !== undefined) return { name: OWN_PREFIX + name, isChanged: false, ...own };
  // The prefix takes the place of a first character, so a digit may stand here.
  const safe = name.replace(/[^a-zA-Z0-9_]/gu, '_');
  return { name: SAMPLE_PREFIX + safe, help: 'Values of samples of this name.', isChanged: safe !== name };
}

/** @returns `key` where Prometheus takes it as it is */
export function exportedLabel(key: string): string {
  const safe = key.replace(/[^a-zA-Z0-9_]/gu, '_');
  // A digit cannot come first, `__…` is Prometheus' own, and a changed key may get a `_` more (label-writer.ts).
  const isTaken =
    /^(__|[0-9])/.test(safe) || (safe !== key && safe.startsWith('_')) || TAKEN_LABELS.includes(safe);
  return isTaken ? `tag_${safe}` : safe;
}
