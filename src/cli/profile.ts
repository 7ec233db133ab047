/** `tallyd profile`: has the running daemon record CPU profiles of its threads, and says where they are. */

import type { Config } from '../config/config.js';
import { EXIT_DONE } from '../model/failure.js';
import { escapeControls, escapeControlsInJson } from '../model/human.js';
import { PROFILE_SECONDS_DEFAULT, type ProfiledThread } from '../model/profile.js';
import { request } from './control-client.js';
import { colorsOf, type Io } from './io.js';
import { renderFacts } from './table.js';

export async function profile(
  config: Config,
  options: { seconds?: string; json?: boolean },
  io: Io,
): Promise<number> {
  const seconds = options.seconds ?? String(PROFILE_SECONDS_DEFAULT);
  if (io.stderr.isTTY) io.stderr.write(`recording for ${seconds} s\n`);
  const path = `/v1/profile?seconds=${encodeURIComponent(seconds)}`;
  const workMs = 1000 * (Number(seconds) || 0);
  const { body } = await request(config, 'POST', path, workMs);
  if (options.json) {
    io.stdout.write(`${escapeControlsInJson(JSON.stringify(body))}\n`);
    return EXIT_DONE;
  }
  const threads = body.threads as ProfiledThread[];
  const facts = threads.map(
    ({ thread, path: file }) => [escapeControls(thread), escapeControls(file)] as const,
  );
  io.stdout.write(renderFacts(facts, colorsOf(io.stdout, io.env)));
  return EXIT_DONE;
}
