/** `tallyd doctor` on this host, with a daemon and without. */

import { expect, test } from 'vitest';
import { testDaemon } from '../support/daemon.js';

test('with a daemon that does well there is no problem, and without one it is said what to start', async () => {
  const daemon = await testDaemon();
  const healthy = await daemon.command('doctor', '--json');
  const { findings } = JSON.parse(healthy.stdout);
  expect(findings.filter(({ verdict }: { verdict: string }) => verdict === 'problem')).toEqual([]);
  expect(healthy.code).toBe(0);
  await daemon.stop();
  const alone = await daemon.command('doctor');
  expect(alone.code).toBe(1);
  expect(alone.stdout).toMatch(
    /^problem {2}sockets {8}\/.*\/ingest\.sock is not there\n +→ start the daemon/m,
  );
  expect(alone.stdout).toMatch(/\n\d problems/);
});

test('a daemon that was killed leaves sockets that nobody listens on, and that is seen', async () => {
  const daemon = await testDaemon();
  await daemon.kill();
  const { code, stdout } = await daemon.command('doctor');
  expect(code).toBe(1);
  expect(stdout).toMatch(/nobody listens on .*ingest\.sock/);
});
