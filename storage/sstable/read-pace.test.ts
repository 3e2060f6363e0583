import { expect, test } from "vitest"
import { SimulatedClock } from "../../runtime/simulated/simulated-clock.ts"
import { ReadPace } from "./read-pace.ts"

/** A disk whose blocking reads take `readMs`: of so many reads, how many blocked. */
class Reads {
  readMs = 0
  #nowMs = 0
  readonly #pace: ReadPace
  constructor(alwaysWait: boolean) {
    const clock = new SimulatedClock()
    clock.monotonicMs = () => this.#nowMs
    this.#pace = new ReadPace(clock, alwaysWait)
  }
  blocking(reads: number): number {
    let blocking = 0
    for (let read = 0; read < reads; read++) {
      if (this.#pace.shouldWait()) continue
      blocking++
      const start = this.#pace.begin()
      this.#nowMs += this.readMs
      this.#pace.end(start)
    }
    return blocking
  }
}

test("quick reads block, slow ones wait, and the disk is tried ever more rarely while it stays slow", () => {
  const reads = new Reads(false)
  expect(reads.blocking(1000)).toBe(1000)
  reads.readMs = 8
  expect(reads.blocking(1)).toBe(1)
  expect(reads.blocking(200)).toBe(0)
  expect(reads.blocking(401)).toBe(1)
  expect(reads.blocking(100_000)).toBeLessThan(20)
  reads.readMs = 0.01
  reads.blocking(12_800)
  expect(reads.blocking(1000)).toBe(1000)
  // One slow read later it is as careful as at first.
  reads.readMs = 8
  expect(reads.blocking(1)).toBe(1)
  reads.readMs = 0.01
  expect(reads.blocking(1000)).toBe(800)
})

test("told to wait, it always does", () => {
  expect(new Reads(true).blocking(10)).toBe(0)
})
