/** Questions to the daemon. What comes back is an answer, its problem document (RFC 9457), or silence. */

const SILENCE_MS_MAX = 20_000;

/** The daemon answered, and the answer is no. */
export class Refusal extends Error {
  readonly status: number;
  readonly title: string;

  constructor(status: number, title: string, detail: string) {
    super(detail);
    this.status = status;
    this.title = title;
  }
}

/** Nobody answered. */
export class Silence extends Error {}

/** @throws Refusal, Silence; AbortError where the asker has left */
export async function ask<T>(path: string, signal: AbortSignal): Promise<T> {
  const patience = AbortSignal.timeout(SILENCE_MS_MAX);
  let text: string;
  let response: Response;
  try {
    response = await fetch(path, {
      signal: AbortSignal.any([signal, patience]),
      headers: { accept: 'application/json' },
      cache: 'no-store',
    });
    text = await response.text();
  } catch (error) {
    if (signal.aborted) throw error;
    const why = patience.aborted ? `no answer within ${SILENCE_MS_MAX / 1000} s` : 'the connection failed';
    throw new Silence(why, { cause: error });
  }
  const body = parse(text);
  if (response.ok && body !== undefined) return body as T;
  const { title, detail, reason } = (body ?? {}) as Record<string, unknown>;
  throw new Refusal(
    response.status,
    typeof title === 'string' ? title : `HTTP ${response.status}`,
    typeof detail === 'string' ? detail : typeof reason === 'string' ? reason : 'the daemon gave no reason',
  );
}

/** `/v1/workflows/ID`. A browser resolves `.` and `..` however they are written, so these two ids cannot be asked for here. */
export function workflowPath(id: string, run: number | null): string {
  return `/v1/workflows/${encodeURIComponent(id)}${run === null ? '' : `?run=${run}`}`;
}

/** `/v1/stats` and others with parameters; those without a value are left out. */
export function withQuery(
  path: string,
  parameters: Readonly<Record<string, string | number | readonly string[] | null | undefined>>,
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value === null || value === undefined || value === '') continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
