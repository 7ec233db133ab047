/** The events of the contract, as a program writes them. What is `undefined` or `null` is as if it did not stand. */

type Optional<T> = T | null | undefined;

interface Common {
  /** Unix seconds; the client puts the time of `send` where there is none */
  readonly ts?: Optional<number>;
}

export interface WorkflowStart extends Common {
  readonly type: 'workflow.start';
  readonly workflow: string;
  readonly name?: Optional<string>;
  readonly project?: Optional<string>;
  readonly request?: Optional<string>;
  readonly phase?: Optional<string>;
  readonly parent?: Optional<string>;
}

export interface WorkflowPhase extends Common {
  readonly type: 'workflow.phase';
  readonly workflow: string;
  readonly phase: string;
}

export interface WorkflowStatus extends Common {
  readonly type: 'workflow.status';
  readonly workflow: string;
  readonly status: 'pending' | 'running' | 'paused';
}

export interface WorkflowEnd extends Common {
  readonly type: 'workflow.end';
  readonly workflow: string;
  readonly status: 'completed' | 'failed' | 'cancelled';
  readonly error?: Optional<string>;
}

export interface TaskStart extends Common {
  readonly type: 'task.start';
  readonly task: string;
  readonly agent: string;
  readonly workflow?: Optional<string>;
  readonly kind?: Optional<string>;
  readonly parallel?: Optional<boolean>;
  readonly description?: Optional<string>;
}

export interface TaskEnd extends Common {
  readonly type: 'task.end';
  readonly task: string;
  readonly agent: string;
  readonly status: 'completed' | 'failed' | 'timeout' | 'cancelled';
  readonly workflow?: Optional<string>;
  readonly kind?: Optional<string>;
  readonly parallel?: Optional<boolean>;
  /** seconds, from 0 */
  readonly duration?: Optional<number>;
  /** from 0 */
  readonly tokens?: Optional<number>;
  readonly error?: Optional<string>;
  /** any JSON */
  readonly output?: unknown;
}

interface GroupFacts extends Common {
  readonly type: 'group';
  readonly workflow?: Optional<string>;
  /** seconds, from 0 */
  readonly duration?: Optional<number>;
}

/** These ran in parallel: 1 to 1000 of them. */
export type Group = GroupFacts &
  (
    | { readonly tasks: readonly string[]; readonly agents?: never }
    | { readonly agents: readonly string[]; readonly tasks?: never }
  );

export interface Sample extends Common {
  readonly type: 'sample';
  readonly name: string;
  readonly value: number;
  /** at most 16 */
  readonly tags?: Optional<Readonly<Record<string, string>>>;
}

/** Types that tallyd does not know are sent as lines of their own making. */
export type Event =
  | WorkflowStart
  | WorkflowPhase
  | WorkflowStatus
  | WorkflowEnd
  | TaskStart
  | TaskEnd
  | Group
  | Sample;
