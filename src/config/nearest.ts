/** The word that a mistyped one was probably meant to be. */

/** @returns the candidate with the fewest edits; of equals the first. Undefined without candidates. */
export function nearestOf(text: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(text, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** The nearest option: one of the same name in another section (or written without one) before a look-alike. */
export function nearestKey(key: string, keys: readonly string[]): string | undefined {
  const name = key.slice(key.lastIndexOf('.') + 1);
  const sameName = keys.filter((candidate) => candidate.slice(candidate.indexOf('.') + 1) === name);
  return nearestOf(key, sameName.length > 0 ? sameName : keys);
}

/** Insertions, deletions, substitutions and swaps of neighbours (Damerau 1964, restricted). Long texts are cut at 100. */
export function editDistance(a: string, b: string): number {
  const left = a.slice(0, 100);
  const right = b.slice(0, 100);
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, i) => i);
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[right.length]!;
}
