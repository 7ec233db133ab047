/** Lines of one sender, all of the same length: how many whole ones a count of bytes holds is a division. */

export const NUMBERED_LINE_BYTES = 100;

const NUMBER_DIGITS = 9;

export function numberedLine(sender: string, number: number): string {
  const digits = String(number).padStart(NUMBER_DIGITS, '0');
  const line = `{"type":"sample","name":"load","tags":{"sender":"${sender}"},"value":1,"n":"${digits}"`;
  return `${line.padEnd(NUMBERED_LINE_BYTES - 2)}}`;
}

/** Each with its line end. */
export function numberedLines(sender: string, first: number, count: number): string {
  let text = '';
  for (let i = 0; i < count; i++) text += `${numberedLine(sender, first + i)}\n`;
  return text;
}

/** The numbers of each sender's lines, in the order in which they stand. @throws at any other line */
export function numbersBySender(lines: readonly string[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  const pattern = /"sender":"([^"]+)"\},"value":1,"n":"(\d{9})"/;
  for (const line of lines) {
    const [, sender, number] = pattern.exec(line) ?? [];
    if (sender === undefined || line !== numberedLine(sender, Number(number))) {
      throw new Error(`no line of any sender: ${line.slice(0, 200)}`);
    }
    const numbers = found.get(sender);
    if (numbers === undefined) found.set(sender, [Number(number)]);
    else numbers.push(Number(number));
  }
  return found;
}

/** 0, 1, 2 … without a gap, a repetition or a line out of its place. */
export function areInSequence(numbers: readonly number[]): boolean {
  return numbers.every((number, i) => number === i);
}
