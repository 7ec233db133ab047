/**
 * One workflow, wherever it is: `GET /v1/workflows/ID`. A run that is whole in memory is read there; all else out of the archive, by
 * the indexes, on threads of the pool:
 *
 *   not in memory                    every run
 *   in memory, begun by its start    the runs before it, once: they do not change any more
 *   in memory, as a remainder        the run too: what had left memory when the next event came, and what came since
 *
 * A run is whole where the fold of the archived lines before it begins a run at its first line as well.
 */

import type { LogFramePlace, LogIndex } from '../archive/log-index.js';
import type { LogPosition } from '../archive/log-reader.js';
import type { Tables } from '../state/tables.js';
import { ArchivedChildren } from './archived-children.js';
import { historyFrames } from './history-places.js';
import type { LogEnd } from './log-end.js';
import type { ChildrenTask } from './named-children.js';
import { Problem } from './problem.js';
import type { Texts } from './texts.js';
import {
  childrenOf,
  type FoundWorkflow,
  findWorkflow,
  type WorkflowFacts,
  workflowFacts,
} from './workflow.js';
import type { HistoryAnswer, HistoryTask, PastRun } from './workflow-history.js';

/** Runs the tasks of lookups. */
export interface Historian {
  history(task: HistoryTask): Promise<HistoryAnswer>;
  children(task: ChildrenTask): Promise<string[]>;
}

export interface WorkflowLookupParts {
  readonly tables: Tables;
  readonly texts: Pick<Texts, 'lines'>;
  readonly end: Pick<LogEnd, 'position' | 'behind'>;
  readonly index: LogIndex;
  readonly historian: Historian;
}

export interface WorkflowReply extends WorkflowFacts {
  readonly runs: readonly { run: number; started_at: number | null; status: string; source: string }[];
  readonly children: readonly string[];
  readonly source: string;
}

/** What came before a run that is in memory. */
interface Past {
  /** Of the run in memory: what it is known by. */
  readonly firstLine: number;
  readonly runs: readonly PastRun[];
  /** What is in memory is not all of its run. */
  readonly isRemainder: boolean;
}

interface Asked {
  readonly id: string;
  readonly run: number | null;
}

const PASTS_MAX = 10_000;
/** How often a workflow may change its run while its past is read. */
const TRIES = 3;

export class WorkflowLookup {
  readonly #parts: WorkflowLookupParts;
  readonly #children: ArchivedChildren;
  /** By workflow; the one that was asked for last stands last. */
  readonly #pasts = new Map<string, Past>();

  constructor(parts: WorkflowLookupParts) {
    this.#parts = parts;
    this.#children = new ArchivedChildren(parts.index, parts.historian);
  }

  /**
   * @param run null: the last one
   * @throws Problem 404 where no event has named it, or not this run, or retention has removed all of it
   */
  async find(id: string, run: number | null): Promise<WorkflowReply> {
    const { tables } = this.#parts;
    const asked = { id, run };
    let found = findWorkflow(tables, id);
    for (let tries = 0; found !== null && tries < TRIES; tries++) {
      const past = await this.#pastOf(id, found.read);
      const now = findWorkflow(tables, id);
      if (now?.read.firstLine === past.firstLine) {
        return past.isRemainder ? this.#archived(asked, now) : this.#inMemory(asked, now, past);
      }
      found = now;
    }
    return this.#archived(asked, found);
  }

  /** As long as no workflow has left memory, what is not there never was. */
  get #hasForgotten(): boolean {
    return this.#parts.tables.board.counts().workflows_evicted > 0;
  }

  async #inMemory(asked: Asked, found: FoundWorkflow, past: Past): Promise<WorkflowReply> {
    const { tables, texts, end, index } = this.#parts;
    const { summary, firstLine } = found.read;
    const last = Math.max(summary.run, past.runs.length + 1);
    const before = runsOf(past.runs, last - past.runs.length, 'archive');
    const { started_at, status, source } = summary;
    const runs = [...before, { run: last, started_at, status, source }];
    if (asked.run !== null && asked.run !== last) {
      const show = asked.run - (last - past.runs.length) + 1;
      return this.#earlier(asked, { show, runs, firstLine });
    }
    // What the tables say now, before anything is waited for.
    const facts = workflowFacts(tables, texts, found);
    const named = childrenOf(tables, asked.id);
    const upTo = end.position;
    const archived = index.isNear(upTo) ? await this.#children.of(asked.id, upTo) : [];
    const children = this.#joinChildren(asked.id, archived, named);
    return { ...(await facts), run: last, runs, children, source };
  }

  /** A run before the one that is in memory. */
  async #earlier(
    asked: Asked,
    { show, runs, firstLine }: { show: number; runs: WorkflowReply['runs']; firstLine: number },
  ): Promise<WorkflowReply> {
    const upTo = await this.#parts.end.behind(firstLine);
    if (show < 1) throw noSuchRun(asked, runs);
    const places = await this.#parts.index.framesOfWorkflow(asked.id, upTo);
    const answer = await this.#history(asked.id, places, upTo, {
      toLine: firstLine,
      overBefore: firstLine,
      show,
    });
    if (answer.facts === null) throw noSuchRun(asked, runs);
    const children = await this.#allChildren(asked.id, upTo);
    return { ...answer.facts, run: asked.run!, runs, children, source: 'archive' };
  }

  /** @param found what is in memory: a remainder; null: nothing */
  async #archived(asked: Asked, found: FoundWorkflow | null): Promise<WorkflowReply> {
    const { tables, end, index } = this.#parts;
    const { id, run } = asked;
    if (found === null && !this.#hasForgotten) throw noSuchWorkflow(id);
    // Read behind the tables: what they did not have then is in the log up to here.
    const { line } = tables.board;
    const isOver = found === null || found.read.over;
    const upTo = await end.behind(line);
    const places = await index.framesOfWorkflow(id, upTo);
    if (places.length === 0) throw noSuchWorkflow(id);
    const { runs, facts, ...last } = await this.#history(id, places, upTo, {
      toLine: Number.POSITIVE_INFINITY,
      overBefore: isOver ? line + 1 : Number.POSITIVE_INFINITY,
      show: run ?? 'last',
    });
    if (runs.length === 0) throw noSuchWorkflow(id);
    const listed = runsOf(runs, 1, 'archive');
    if (found !== null) listed.at(-1)!.source = last.isOver ? 'recent' : 'live';
    if (facts === null) throw noSuchRun(asked, listed);
    const number = run ?? runs.length;
    const children = await this.#allChildren(id, upTo);
    return { ...facts, run: number, runs: listed, children, source: listed[number - 1]!.source };
  }

  async #pastOf(id: string, { firstLine, summary }: FoundWorkflow['read']): Promise<Past> {
    const known = this.#pasts.get(id);
    if (known?.firstLine === firstLine) return known;
    const nothing = { firstLine, runs: [], isRemainder: false };
    const { index, end } = this.#parts;
    // A workflow in memory is not to wait for an index, but where it is wrong alone: with earlier runs, or as a remainder.
    const isBegun = summary.run > 1;
    const mayBeRemainder = summary.implicit && this.#hasForgotten;
    if (!isBegun && !mayBeRemainder && !index.isNear(end.position)) return nothing;
    const upTo = await end.behind(firstLine);
    const places = (await index.framesOfWorkflow(id, upTo)).filter((one) => one.firstLine <= firstLine);
    const { runs } = await this.#history(id, places, upTo, {
      toLine: firstLine,
      overBefore: isBegun ? firstLine : Number.POSITIVE_INFINITY,
      show: 'none',
    });
    const before = runs.filter((one) => one.firstLine < firstLine);
    // Also where memory has begun a run anew: by all that the log has, the line may be one of the run before.
    const isRemainder = before.length > 0 && before.length === runs.length;
    const past = { firstLine, runs: before, isRemainder };
    this.#pasts.delete(id);
    this.#pasts.set(id, past);
    if (this.#pasts.size > PASTS_MAX) this.#pasts.delete(this.#pasts.keys().next().value!);
    return past;
  }

  async #history(
    workflow: string,
    places: readonly LogFramePlace[],
    upTo: LogPosition,
    asked: Omit<HistoryTask, 'workflow' | 'frames'>,
  ): Promise<HistoryAnswer> {
    if (places.length === 0) return { runs: [], facts: null, isOver: false };
    const { index, historian, tables } = this.#parts;
    const frames = await historyFrames(index, places, upTo, tables.limits);
    return historian.history({ workflow, frames, ...asked });
  }

  async #allChildren(id: string, upTo: LogPosition): Promise<string[]> {
    const archived = await this.#children.of(id, upTo);
    return this.#joinChildren(id, archived, childrenOf(this.#parts.tables, id));
  }

  /** Of those in memory the tables know who their parent is now, but for a remainder, which came to life without its start. */
  #joinChildren(id: string, archived: readonly string[], named: readonly string[]): string[] {
    const { tables } = this.#parts;
    const left = archived.filter((child) => {
      const found = findWorkflow(tables, child);
      if (found === null) return true;
      const { parent, implicit } = found.read.summary;
      return parent === id || (implicit && parent === null);
    });
    return [...new Set([...left, ...named])];
  }
}

function runsOf(runs: readonly PastRun[], first: number, source: string) {
  return runs.map(({ started_at, status }, i) => ({ run: first + i, started_at, status, source }));
}

function noSuchWorkflow(id: string): Problem {
  const detail = `no workflow ${JSON.stringify(id)} is in memory or in the archive`;
  return new Problem(404, 'No such workflow', detail);
}

function noSuchRun({ id, run }: Asked, runs: WorkflowReply['runs']): Problem {
  const known = runs.length === 1 ? 'run' : 'runs';
  const detail = `there is no run ${run} of workflow ${JSON.stringify(id)}; known: ${known} ${runs.map((one) => one.run).join(', ')}`;
  return new Problem(404, 'No such run', detail);
}
