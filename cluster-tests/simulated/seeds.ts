// How many seeds a randomised test tries, and which: SIMULATION_SEED=N runs that one alone, SIMULATION_SEEDS=N that many
// from SIMULATION_FIRST_SEED (1) on.
import { test } from "vitest"
import { installAmbientStubs } from "../../runtime/simulated/ambient.ts"

export function forSeeds(name: string, file: string, usual: number, run: (seed: number) => Promise<void>): void {
  const only = process.env["SIMULATION_SEED"]
  const count = Number(process.env["SIMULATION_SEEDS"] ?? usual)
  const first = Number(process.env["SIMULATION_FIRST_SEED"] ?? 1)
  const seeds = only === undefined ? Array.from({ length: count }, (_, index) => index + first) : [Number(only)]
  for (const seed of seeds) {
    test(`${name}, seed ${seed}`, async () => {
      // A clock or a random number that is not the simulation's would make a run that no seed brings back.
      const restore = installAmbientStubs()
      try {
        await run(seed)
      } catch (error) {
        if (error instanceof Error) error.message += `\nreplay: SIMULATION_SEED=${seed} npx vitest run ${file}`
        throw error
      } finally {
        restore()
      }
    })
  }
}
