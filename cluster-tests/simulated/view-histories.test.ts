// Random histories of clusters with views (view-history.ts). A few seeds here; SIMULATION_SEEDS=5000 tries as many.
import { expect } from "vitest"
import type { Random } from "../../runtime/random.ts"
import { SimulatedRandom } from "../../runtime/simulated/simulated-random.ts"
import { forSeeds } from "./seeds.ts"
import { type HistoryOptions, SHAPES, ViewHistory } from "./view-history.ts"

function optionsOf(random: Random): HistoryOptions {
  const shapes = SHAPES.map((shape) => ({ shape, at: random.float() }))
    .toSorted((a, b) => a.at - b.at)
    .slice(0, 1 + random.below(3))
    .map(({ shape }) => shape)
  return { nodes: 3 + random.below(3), replicationFactor: [1, 1, 2, 3, 3][random.below(5)]!, shapes, lateShapes: random.below(3) === 0 ? 1 : 0, runMs: 4000 + random.below(6000), clients: 1 + random.below(3) }
}

forSeeds("views after a random history", "cluster-tests/simulated/view-histories.test.ts", 6, async (seed) => {
  const history = await ViewHistory.start(seed, optionsOf(new SimulatedRandom(`history ${seed}`)))
  await history.run()
  try {
    await history.check()
  } catch (error) {
    if (error instanceof Error && process.env["SIMULATION_SEED"] !== undefined) error.message += `\n${history.statements.join("\n")}`
    throw error
  }
  expect(history.acknowledged).toBeGreaterThan(0)
})
