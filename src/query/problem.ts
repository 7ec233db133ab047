/** A question that has no answer, as an RFC 9457 problem: the status of the reply and what to do about it. */

export class Problem extends Error {
  readonly status: number;
  readonly title: string;

  constructor(status: number, title: string, detail: string) {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.title = title;
  }
}
