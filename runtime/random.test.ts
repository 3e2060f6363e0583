// One suite for both generators, then that a seed brings everything back.
import { describe, expect, it } from "vitest"
import { AssertionError } from "./pure.ts"
import { RealRandom } from "./real/real-random.ts"
import { SimulatedRandom } from "./simulated/simulated-random.ts"

describe.each([["real", () => new RealRandom()], ["simulated", () => new SimulatedRandom(7)]] as const)("%s random", (_name, create) => {
  it("gives unsigned 32-bit integers over the whole range", () => {
    const random = create()
    let or = 0
    let and = -1
    for (let i = 0; i < 5000; i++) {
      const value = random.uint32()
      expect(Number.isInteger(value) && value >= 0 && value < 2 ** 32).toBe(true)
      or |= value
      and &= value
    }
    expect(or).toBe(-1)
    expect(and).toBe(0)
  })

  it("gives floats in [0, 1) around one half", () => {
    const random = create()
    let sum = 0
    for (let i = 0; i < 10_000; i++) {
      const value = random.float()
      expect(value >= 0 && value < 1).toBe(true)
      sum += value
    }
    // Ten standard deviations wide.
    expect(Math.abs(sum / 10_000 - 0.5)).toBeLessThan(0.03)
  })

  it.each([1, 2, 3, 10, 1000])("gives every number below %i equally often", (bound) => {
    const random = create()
    const counts = new Array<number>(bound).fill(0)
    const rounds = 100 * bound
    for (let i = 0; i < rounds; i++) counts[random.below(bound)]!++
    for (const count of counts) expect(count).toBeGreaterThan(30)
    expect(counts.reduce((sum, count) => sum + count)).toBe(rounds)
  })

  it("takes bounds beyond 32 bits, and none below 1", () => {
    const random = create()
    expect(Array.from({ length: 100 }, () => random.below(2 ** 50)).some((value) => value >= 2 ** 40)).toBe(true)
    expect(random.below(2 ** 32)).toBeLessThan(2 ** 32)
    for (const bound of [0, -1, 1.5, Number.NaN]) expect(() => random.below(bound)).toThrow(AssertionError)
  })

  it.each([0, 1, 2, 3, 4, 5, 1000, 10_000])("gives %i bytes", (count) => {
    const random = create()
    const bytes = random.bytes(count)
    expect(bytes.length).toBe(count)
    if (count >= 1000) expect(new Set(bytes).size).toBeGreaterThan(200)
    // What was given out stays as it was.
    const copy = Buffer.from(bytes)
    random.bytes(5000)
    expect(bytes).toEqual(copy)
  })

  it("gives version 4 UUIDs, each once", () => {
    const random = create()
    const uuids = Array.from({ length: 1000 }, () => random.uuid())
    for (const uuid of uuids) expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(new Set(uuids).size).toBe(1000)
  })

  it("has children that go their own way", () => {
    const random = create()
    const [a, b] = [random.child("a"), random.child("b")]
    expect(a.bytes(16)).not.toEqual(b.bytes(16))
  })
})

describe("simulated random", () => {
  it("gives the same for the same seed, and a child the same whatever was drawn before", () => {
    const one = new SimulatedRandom("seed")
    const other = new SimulatedRandom("seed")
    const before = one.child("n1").bytes(32)
    expect(one.bytes(100)).toEqual(other.bytes(100))
    expect(other.child("n1").bytes(32)).toEqual(before)
    expect(one.child("n1").child("disk").uuid()).toBe(other.child("n1").child("disk").uuid())
    expect(new SimulatedRandom("other seed").bytes(32)).not.toEqual(new SimulatedRandom("seed").bytes(32))
    expect(new SimulatedRandom(1).bytes(32)).not.toEqual(new SimulatedRandom(2).bytes(32))
  })

  it("gives these numbers for seed 1 for ever: a recorded seed must bring its run back", () => {
    const random = new SimulatedRandom(1)
    expect([random.uint32(), random.uint32(), random.uint32()]).toEqual([1586462748, 4008308565, 3737353512])
  })
})
