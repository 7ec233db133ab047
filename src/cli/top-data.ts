/** What `tallyd top` shows, as it asks the daemon for it. */

import type { Config } from '../config/config.js';
import { Failure } from '../model/failure.js';
import type {
  RecentReply,
  StatsReply,
  StatusReply,
  WorkflowReply,
  WorkflowSummary,
  WorkflowsReply,
} from '../model/replies.js';
import { request } from './control-client.js';
import type { TopState } from './top-state.js';

export interface AgentRow {
  readonly agent: string;
  readonly count: number;
  readonly mean: number;
  readonly stddev: number | null;
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
  readonly rate: number;
}

/** An answer, or the daemon's words where it gives none. */
export type Asked<T> = { readonly rows: T } | { readonly refusal: string };

export interface TopData {
  readonly status: StatusReply | null;
  readonly workflows: Asked<readonly WorkflowSummary[]>;
  readonly agents: Asked<readonly AgentRow[]>;
  /** of the workflow that is opened */
  readonly opened: Asked<WorkflowReply> | null;
  /** events per second every two seconds, the newest last */
  readonly rates: readonly number[];
  /** why nobody answers, and since when in Unix seconds */
  readonly silence: { readonly since: number; readonly why: string } | null;
  /** Unix seconds of the last answer */
  readonly at: number;
}

export const TOP_DATA_BEGIN: TopData = {
  status: null,
  workflows: { rows: [] },
  agents: { rows: [] },
  opened: null,
  rates: [],
  silence: null,
  at: 0,
};

/** Of more the first are shown, and that there are more is said. */
export const WORKFLOWS_MAX = 1000;

/** @returns the data with all that could be had; where nobody answers, those of before, and why */
export async function takeTopData(
  config: Config,
  state: TopState,
  before: TopData,
  nowSeconds: () => number,
): Promise<TopData> {
  try {
    const [status, rates, workflows, agents, opened] = await Promise.all([
      askStatus(config),
      ask(() => askRates(config)),
      ask(() => askWorkflows(config, state)),
      ask(() => askAgents(config, state)),
      state.opened === null ? null : ask(() => askWorkflow(config, state.opened!)),
    ]);
    return {
      status,
      workflows,
      agents,
      opened,
      rates: 'rows' in rates ? rates.rows : [],
      silence: null,
      at: nowSeconds(),
    };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const since = before.silence?.since ?? nowSeconds();
    return { ...before, silence: { since, why: error.message } };
  }
}

async function askStatus(config: Config): Promise<StatusReply> {
  return (await request(config, 'GET', '/v1/status')).body;
}

async function askRates(config: Config): Promise<readonly number[]> {
  const { body } = await request(config, 'GET', '/v1/recent');
  return (body as RecentReply).events_per_second.map((rate) => rate ?? 0);
}

async function askWorkflows(config: Config, { withEnded }: TopState): Promise<readonly WorkflowSummary[]> {
  const status = withEnded ? '' : '&status=running';
  const { body } = await request(config, 'GET', `/v1/workflows?limit=${WORKFLOWS_MAX}${status}`);
  return (body as WorkflowsReply).workflows;
}

async function askAgents(config: Config, { window }: TopState): Promise<readonly AgentRow[]> {
  const stats = async (by: string): Promise<StatsReply> => {
    const query = new URLSearchParams({ metric: 'task_duration_seconds', by, window, limit: '10000' });
    return (await request(config, 'GET', `/v1/stats?${query}`)).body;
  };
  const [all, byStatus] = await Promise.all([stats('agent'), stats('agent,status')]);
  const failed = new Map<string, number>();
  for (const { labels, count } of byStatus.groups) {
    if (labels.status !== 'failed' && labels.status !== 'timeout') continue;
    failed.set(labels.agent ?? '', (failed.get(labels.agent ?? '') ?? 0) + count);
  }
  return all.groups.map(({ labels: { agent = '' }, count, mean, stddev, p50, p99, rate }) => {
    return { agent, count, mean, stddev, p50, p99, rate, failed: failed.get(agent) ?? 0 };
  });
}

async function askWorkflow(config: Config, id: string): Promise<WorkflowReply> {
  return (await request(config, 'GET', `/v1/workflows/${encodeURIComponent(id)}`)).body;
}

/** A daemon that answers no is no reason to show nothing of the rest. @throws Failure where nobody answers */
async function ask<T>(question: () => Promise<T>): Promise<Asked<T>> {
  try {
    return { rows: await question() };
  } catch (error) {
    if (!(error instanceof Failure) || error.code === 'ERR_NO_DAEMON' || error.code === 'ERR_DENIED')
      throw error;
    return { refusal: error.message };
  }
}
