/**
 * The whole of one accepted line as a JavaScript object, for queries that show the texts which state does not keep.
 * Cold: it makes strings. The reading is the decoder's: of a key that stands twice the last value counts, and an
 * unpaired surrogate escape is U+FFFD.
 */

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @param bytes a line that the decoder accepted, with or without its `\n`; throws on others */
export function parseAcceptedLine(bytes: Uint8Array): Record<string, unknown> {
  // A copy: TextDecoder refuses views of shared memory.
  const text = replaceUnpairedSurrogates(decoder.decode(Uint8Array.from(bytes)));
  return JSON.parse(text) as Record<string, unknown>;
}

/**
 * In the text, not in the parsed object: two keys that become one by the replacement must meet in the order in which
 * they stand. The alternatives take every escape whole, so that `\\ud800` is left alone.
 */
function replaceUnpairedSurrogates(text: string): string {
  if (!text.includes('\\u')) return text;
  return text.replace(
    /\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)/g,
    (match, unpaired: string | undefined) => (unpaired === undefined ? match : '\\ufffd'),
  );
}
