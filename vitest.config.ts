import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

const minute = 60_000
const report = process.env.TUNLESS_TEST_REPORT // a path: the results as JSON, beside what is printed

export default defineConfig({
  test: {
    // Tests that start programs wait more than they work: two at once on two cores as well.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    globalSetup: ['scripts/build-wasm.js', 'test/support/run-folder.ts'],
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 20_000, sequence: { groupOrder: 0 } } },
      {
        test: {
          name: 'types',
          include: [],
          typecheck: { enabled: true, only: true, checker: 'tsc', include: ['test/types/**/*.test-d.ts'] },
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts'],
          testTimeout: 5 * minute,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: minute,
          hookTimeout: 3 * minute,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // One file after the other: they measure nothing, but they fill both directions of a link.
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          globalSetup: 'test/support/interop-gate.ts',
          testTimeout: 3 * minute,
          hookTimeout: 3 * minute,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // The recipes of examples/.
        test: {
          name: 'recipes',
          include: ['test/recipes/**/*.test.ts'],
          globalSetup: 'test/support/interop-gate.ts',
          testTimeout: 3 * minute,
          hookTimeout: 3 * minute,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
