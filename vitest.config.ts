import { defineConfig } from "vitest/config"

// `npm test`: everything that fits in five minutes. Tests that need containers, and the main job at its whole size, have configurations of their own.
export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    exclude: ["node_modules/**", "dist/**", "cluster-tests/containers/**", "cluster-tests/processes/main-job.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
