import { expect, test } from "vitest"
import { timeUuidMs } from "../cql/functions/time-functions.ts"
import { createSimulation } from "../runtime/simulated/simulation.ts"
import { TimeUuids } from "./time-uuids.ts"
import { WriteTimestamps } from "./writes/write-timestamps.ts"
import { toNumber } from "../data/timestamp.ts"

test("time UUIDs are version 1, of now, and all different while the clock stands still", () => {
  const { clock, random } = createSimulation(1)
  const uuids = new TimeUuids(clock, random)
  const made = Array.from({ length: 100 }, () => uuids.next())
  expect(new Set(made.map((uuid) => uuid.toString("hex"))).size).toBe(100)
  for (const uuid of made) {
    expect([(uuid[6] as number) >> 4, (uuid[8] as number) >> 6]).toEqual([1, 2])
    expect(timeUuidMs(uuid)).toBe(Math.floor(clock.nowMicros() / 1000))
  }
})

test("write timestamps rise even while the clock stands still or goes back", () => {
  let nowMicros = 1_735_689_600_000_000
  const timestamps = new WriteTimestamps({ nowMicros: () => nowMicros } as never)
  const next = (): number => {
    timestamps.next()
    return toNumber(timestamps.high, timestamps.low)
  }
  expect([next(), next()]).toEqual([1_735_689_600_000_000, 1_735_689_600_000_001])
  nowMicros -= 1_000_000
  expect(next()).toBe(1_735_689_600_000_002)
  nowMicros += 2_000_000
  expect(next()).toBe(1_735_689_601_000_000)
})
