import { defineConfig } from "vitest/config"

// `npm run test:main-job`: the main job at its whole size, alone on the machine, because it takes both cores for a minute.
export default defineConfig({
  test: { include: ["cluster-tests/processes/main-job.test.ts"], pool: "forks", maxWorkers: 1, testTimeout: 600_000, hookTimeout: 120_000 },
})
