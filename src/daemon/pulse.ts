/** Whether the stages move: one that has work before it and stands still for too long is stuck. */

export interface StageWork {
  readonly name: string;
  /** Whether there is something for it to do. */
  readonly hasWork: boolean;
  /** Changes whenever it gets on. */
  readonly position: string;
  /** How long it may stand still with work before it. */
  readonly stillMsMax: number;
}

interface Stood {
  readonly position: string;
  readonly hadWork: boolean;
  /** It has not moved since, and its work was there. */
  readonly sinceMs: number;
}

export class Pulse {
  readonly #stood = new Map<string, Stood>();

  /** @returns the stages that are stuck, with the time that they stand still */
  beat(stages: readonly StageWork[], nowMs: number): { name: string; stillMs: number }[] {
    const stuck: { name: string; stillMs: number }[] = [];
    for (const { name, hasWork, position, stillMsMax } of stages) {
      const stood = this.#stood.get(name);
      if (stood === undefined || !hasWork || !stood.hadWork || stood.position !== position) {
        this.#stood.set(name, { position, hadWork: hasWork, sinceMs: nowMs });
        continue;
      }
      const stillMs = nowMs - stood.sinceMs;
      if (stillMs > stillMsMax) stuck.push({ name, stillMs });
    }
    return stuck;
  }
}
