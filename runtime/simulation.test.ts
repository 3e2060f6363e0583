// Determinism itself, a node that dies and comes back, and the stubs that keep real time and randomness out.
import { randomBytes } from "node:crypto"
import { afterEach, describe, expect, it } from "vitest"
import { LANE } from "./network.ts"
import { AmbientError, installAmbientStubs } from "./simulated/ambient.ts"
import { createSimulation } from "./simulated/simulation.ts"
import type { SimulatedProcess, Simulation } from "./simulated/simulation.ts"

const NODES = [1, 2, 3]

/** A small program on every port: writes what it hears to disk, syncs, and tells the others. */
function boot(process: SimulatedProcess): void {
  const { clock, disk, network, random } = process
  disk.makeDirectory("/log")
  const file = disk.appendFile("/log/heard")
  network.start({
    message(from, _lane, bytes) {
      file.write(bytes)
      file.sync(() => {
        if (bytes.length > 4 && random.below(3) > 0) network.send(from, LANE.data, random.bytes(random.below(8) + 1))
      })
    },
    link() {},
  })
  const tick = (): void => {
    const to = 1 + random.below(3)
    if (to !== process.node) network.send(to, LANE.control, random.bytes(1 + random.below(8)))
    clock.after(5 + random.float() * 10, tick)
  }
  tick()
}

async function run(seed: number, program: (simulation: Simulation) => Promise<void>): Promise<{ hash: string; next: number; lines: readonly string[] }> {
  const simulation = createSimulation(seed, {
    conditions: { delayMinMs: 0.1, delayMaxMs: 20, dropRate: 0.05, duplicateRate: 0.05 }, maxSkewMs: 100, keepTrace: true,
  })
  for (const node of NODES) boot(simulation.start(node))
  await program(simulation)
  return { hash: simulation.trace.hash(), next: simulation.random.uint32(), lines: simulation.trace.lines }
}

async function faults(simulation: Simulation): Promise<void> {
  await simulation.run(200)
  simulation.hub.partition([1], [2, 3])
  await simulation.run(400)
  simulation.kill(2)
  await simulation.run(500)
  boot(simulation.start(2))
  simulation.hub.heal()
  await simulation.run(700)
  simulation.powerLoss(3)
  await simulation.run(800)
  boot(simulation.start(3))
  simulation.disk(1).crashAt(simulation.disk(1).operationCount + 5)
  await simulation.run(() => !simulation.isRunning(1))
  boot(simulation.start(1))
  await simulation.run(1500)
}

describe("simulation", () => {
  it("does the same twice for the same seed, to the last event and the next random number", async () => {
    const one = await run(7, faults)
    const other = await run(7, faults)
    expect(other.lines).toEqual(one.lines)
    expect(other).toEqual(one)
    expect(one.lines.length).toBeGreaterThan(1000)
    for (const what of ["message", "disk sync", "disk write", "link 1>2 down", "end 1"]) expect(one.lines.some((line) => line.includes(what))).toBe(true)
  })

  it("does something else for another seed, or when one thing happens otherwise", async () => {
    const hashes = new Set<string>()
    for (const seed of [1, 2, 3]) hashes.add((await run(seed, faults)).hash)
    expect(hashes.size).toBe(3)
    const quiet = await run(7, (simulation) => simulation.run(300))
    const touched = await run(7, async (simulation) => {
      await simulation.run(150)
      simulation.hub.cut(1, 2)
      await simulation.run(300)
    })
    expect(touched.hash).not.toBe(quiet.hash)
  })

  it("keeps a node's disk from process to process, and nothing else", async () => {
    const simulation = createSimulation("disk")
    const one = simulation.start(1)
    const file = one.disk.appendFile("/a")
    file.write(Buffer.from("kept"))
    let fired = 0
    one.clock.after(10, () => fired++)
    file.sync(() => fired++)
    simulation.kill(1)
    expect(simulation.isRunning(1)).toBe(false)
    const again = simulation.start(1)
    expect(again.incarnation).toBe(2)
    expect(again.disk.contents("/a").toString()).toBe("kept")
    expect(again.random.uint32()).not.toBe(one.random.uint32())
    await simulation.run(100)
    expect(fired).toBe(0)
    simulation.powerLoss(1)
    expect(simulation.start(1).disk.list("/").length).toBeLessThanOrEqual(1)
  })

  it("gives each clock its own error, and the same error again for the same seed", () => {
    const nows = (seed: number): number[] => {
      const simulation = createSimulation(seed, { maxSkewMs: 50 })
      return NODES.map((node) => simulation.start(node).clock.nowMicros() - simulation.clock.nowMicros())
    }
    expect(new Set(nows(1)).size).toBe(3)
    expect(nows(1)).toEqual(nows(1))
    for (const skewMicros of nows(1)) expect(Math.abs(skewMicros)).toBeLessThanOrEqual(50_000)
  })

  it("ends with what an event throws or a promise rejects with, unless it is the death of a process", async () => {
    const simulation = createSimulation(4)
    const { clock, disk } = simulation.start(1)
    clock.after(1, () => {
      throw new Error("thrown")
    })
    clock.after(2, async () => {
      await clock.sleep(1)
      throw new Error("rejected")
    })
    clock.after(5, async () => {
      await Promise.resolve()
      disk.crashAt(disk.operationCount + 1)
      disk.makeDirectory("/d")
    })
    clock.after(6, () => expect.fail("the process is dead"))
    const listeners = process.listeners("unhandledRejection")
    await expect(simulation.run(10)).rejects.toThrow(/thrown .*seed 4/)
    await expect(simulation.run(10)).rejects.toThrow(/rejected .*seed 4/)
    await simulation.run(10)
    expect(simulation.isRunning(1)).toBe(false)
    expect(process.listeners("unhandledRejection")).toEqual(listeners)
  })

  it("names the seed when it is stuck", async () => {
    await expect(createSimulation(99).run(() => false)).rejects.toThrow(/nothing is left to do .*seed 99, trace [0-9a-f]{16} after 0 events/)
  })
})

describe("ambient stubs", () => {
  let restore = (): void => {}
  afterEach(() => restore())

  it("make real time and randomness throw, and take nothing else away", async () => {
    const before = [Date, setTimeout, Math.random, performance.now, randomBytes]
    restore = installAmbientStubs()
    const calls: (() => unknown)[] = [
      () => Date.now(), () => new Date(), () => Date(), () => setTimeout(() => {}, 1), () => setInterval(() => {}, 1), () => setImmediate(() => {}),
      () => Math.random(), () => performance.now(), () => crypto.randomUUID(), () => crypto.getRandomValues(new Uint8Array(1)),
      () => randomBytes(1), () => process.hrtime(), () => process.hrtime.bigint(),
    ]
    for (const call of calls) expect(call, call.toString()).toThrow(call.toString().includes("bigint") ? TypeError : AmbientError)
    expect(new Date(0).toISOString()).toBe("1970-01-01T00:00:00.000Z")
    expect(new Date(0)).toBeInstanceOf(Date)
    expect(Date.UTC(1970, 0, 2)).toBe(86_400_000)
    // The simulator runs all the same.
    expect((await run(7, faults)).hash).toMatch(/^[0-9a-f]{16}$/)
    restore()
    restore = () => {}
    expect([Date, setTimeout, Math.random, performance.now, randomBytes]).toEqual(before)
    expect(Date.now()).toBeGreaterThan(0)
    expect(Math.random()).toBeLessThan(1)
    expect(randomBytes(3).length).toBe(3)
  })
})
