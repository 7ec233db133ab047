/**
 * The lines of the torture: line n of a client follows from name and number alone, so whoever reads one knows what it must be,
 * and any process can go on with the next. Sizes vary, so that reads and writes cut lines everywhere.
 */

/** What a sender process says first, when it listens to signals. */
export const READY = 'ready\n';

const PERIOD = 10;
const WORKFLOWS = 40;

/** Of each ten lines one is refused, two begin and end a task, and seven are samples. */
export function tortureLine(client: string, n: number): string {
  const place = n % PERIOD;
  const group = Math.floor(n / PERIOD);
  if (isRefused(n)) return `{"type":"sample","client":"${client}","n":${n}}`;
  const pad = 'x'.repeat(scramble(n) % 200);
  const task = `"workflow":"${client}-${group % WORKFLOWS}","task":"t${group}","agent":"${client}"`;
  const tail = `"client":"${client}","n":${n},"pad":"${pad}"}`;
  if (place === 7) return `{"type":"task.start",${task},${tail}`;
  if (place === 8) {
    return `{"type":"task.end",${task},"status":"completed","duration":${valueOfLine(n)},${tail}`;
  }
  return `{"type":"sample","name":"load","value":${valueOfLine(n)},"tags":{"client":"${client}","place":"${place}"},${tail}`;
}

export function isRefused(n: number): boolean {
  return n % PERIOD === 0;
}

export function isTaskEnd(n: number): boolean {
  return n % PERIOD === 8;
}

/** A whole number, so that sums are exact. */
export function valueOfLine(n: number): number {
  return scramble(n) % 10_007;
}

/** The client and number of a line of any client. @throws at any other line */
export function readTortureLine(line: string): { client: string; n: number } {
  const match = /"client":"([^"]+)","n":(\d+)[,}]/.exec(line);
  const client = match?.[1] ?? '';
  const n = Number(match?.[2]);
  if (match === null || tortureLine(client, n) !== line) {
    throw new Error(`no line of any client: ${line.slice(0, 200)}`);
  }
  return { client, n };
}

/** Multiplication by the golden ratio (Knuth's), and its upper bits. */
function scramble(n: number): number {
  return Math.imul(n, 0x9e3779b1) >>> 8;
}
