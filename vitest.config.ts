import { defineConfig } from "vitest/config"

// `npm test`: everything that fits in five minutes. Tests that need containers have a configuration of their own.
export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    exclude: ["node_modules/**", "dist/**", "cluster-tests/containers/**"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
