import { expect, test } from "vitest"
import { createSimulation } from "../runtime/simulated/simulation.ts"
import { DataDirectory } from "./data-directory.ts"

test("a directory that is open outlives a loss of power, with the directories above it", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const simulation = createSimulation(seed)
    const { disk } = simulation.start(1)
    let isOpen = false
    void DataDirectory.open(disk, "node1/deep/data", "h", "c").then(() => {
      isOpen = true
    })
    await simulation.run(() => isOpen)
    simulation.powerLoss(1)
    expect(disk.exists("node1/deep/data/belvedere.json"), `seed ${seed}`).toBe(true)
    expect(disk.exists("node1/deep/data/commitlog"), `seed ${seed}`).toBe(true)
  }
})
