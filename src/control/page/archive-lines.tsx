/** Lines of a time out of the archive: some of them to look at, all of them as a file. */

import { useEffect, useState } from 'preact/hooks';
import { Refusal, withQuery } from './api.js';
import { Empty, Panel, RefusalNote } from './panel.js';

/** The log itself is text for programs: it is shown by the browser, or kept as a file. */
export function LinesPanel({ from, to }: { from: number; to: number }) {
  const [filters, setFilters] = useState({ workflow: '', agent: '', type: '' });
  const path = withQuery('/v1/archive', { since: from, until: to, ...filters });
  return (
    <Panel title="Lines of this time, out of the archive">
      <div class="filters pad">
        {(['workflow', 'agent', 'type'] as const).map((name) => (
          <input
            key={name}
            type="text"
            class="short"
            placeholder={name}
            aria-label={`Only lines of this ${name}`}
            value={filters[name]}
            onInput={(event) => setFilters({ ...filters, [name]: event.currentTarget.value })}
          />
        ))}
        <a class="button" href={path} download="tallyd-lines.ndjson">
          Save as a file
        </a>
      </div>
      <FirstLines path={path} />
    </Panel>
  );
}

const LINES_SHOWN = 200;

function FirstLines({ path }: { path: string }) {
  const [lines, setLines] = useState<readonly string[] | null>(null);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [asked, setAsked] = useState<string | null>(null);
  useEffect(() => {
    if (asked === null) return;
    const leaving = new AbortController();
    setLines(null);
    setRefusal(null);
    readFirstLines(asked, LINES_SHOWN, leaving).then(setLines, (error) => {
      if (leaving.signal.aborted) return;
      setRefusal(error instanceof Refusal ? error : new Refusal(0, 'No answer', String(error.message)));
    });
    return () => leaving.abort();
  }, [asked]);
  return (
    <>
      <p class="pad">
        <button type="button" onClick={() => setAsked(path)}>
          Show the first {LINES_SHOWN} lines
        </button>
      </p>
      {refusal !== null && <RefusalNote refusal={refusal} />}
      {lines !== null && lines.length === 0 && (
        <Empty>
          <p>No line of this time is like that.</p>
        </Empty>
      )}
      {lines !== null && lines.length > 0 && <pre class="output lines">{lines.join('\n')}</pre>}
    </>
  );
}

/** Reads no further than it shows: the answer may be the whole archive. */
async function readFirstLines(path: string, count: number, leaving: AbortController): Promise<string[]> {
  const response = await fetch(path, { signal: leaving.signal });
  if (!response.ok) {
    const problem = (await response.json().catch(() => ({}))) as { title?: string; detail?: string };
    throw new Refusal(response.status, problem.title ?? `HTTP ${response.status}`, problem.detail ?? '');
  }
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  let lines: string[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    text += value ?? '';
    lines = text.split('\n');
    if (done || lines.length > count) break;
  }
  await reader.cancel();
  return lines.filter((line) => line !== '').slice(0, count);
}
