import { defineConfig } from 'vitest/config';

/** `npm test` runs fast, threads and daemon; interop needs outside programs and runs by `npm run test:interop`. */
export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: ['test/threads/**', 'test/daemon/**', 'test/interop/**', 'test/soak/**'],
        },
      },
      { extends: true, test: { name: 'threads', include: ['test/threads/**/*.test.ts'] } },
      {
        extends: true,
        test: { name: 'daemon', include: ['test/daemon/**/*.test.ts'], testTimeout: 60_000 },
      },
      {
        extends: true,
        test: { name: 'interop', include: ['test/interop/**/*.test.ts'], testTimeout: 180_000 },
      },
      {
        extends: true,
        test: { name: 'soak', include: ['test/soak/**/*.test.ts'], testTimeout: 1_800_000 },
      },
    ],
  },
});
