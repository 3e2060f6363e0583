import { defineConfig } from "vitest/config"

// `npm run test:containers`: needs a container engine (see .ci/containers).
export default defineConfig({
  test: { include: ["cluster-tests/containers/**/*.test.ts"], pool: "forks", maxWorkers: 1, testTimeout: 180_000, hookTimeout: 300_000 },
})
