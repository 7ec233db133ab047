/** Where in the page one is: `#/workflows?status=failed`, so that every view has an address, and Back goes back. */

export interface Place {
  /** decoded: `['workflow', 'nightly/42']` */
  readonly parts: readonly string[];
  readonly params: ReadonlyMap<string, string>;
}

export function parsePlace(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s);
  return {
    parts: path
      .split('/')
      .map(decode)
      .filter((part) => part !== ''),
    params: new Map(new URLSearchParams(query)),
  };
}

/** Parameters without a value are left out. */
export function formatPlace(
  parts: readonly string[],
  params: Readonly<Record<string, string | null | undefined>> = {},
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== '') query.set(name, value);
  }
  const text = query.toString();
  return `#/${parts.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
}

/** The same place with other parameters. */
export function changeParams(place: Place, changes: Readonly<Record<string, string | null>>): string {
  return formatPlace(place.parts, { ...Object.fromEntries(place.params), ...changes });
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
