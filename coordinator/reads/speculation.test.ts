import { expect, test } from "vitest"
import { roundedDelayMs, speculativeDelayMs } from "./speculation.ts"

test.each([
  ["ALWAYS", 0], ["NEVER", Infinity], ["NONE", Infinity], ["50ms", 50], ["7.5MS", 7.5], ["99p", 400], ["99PERCENTILE", 400], ["50p", 100], ["10p", 100],
  ["MIN(99p,50ms)", 50], ["MAX(99p, 50ms)", 400],
] as const)("speculative_retry %s of a replica that takes 100 ms", (option, delayMs) => {
  expect(speculativeDelayMs(option, 100)).toBeCloseTo(delayMs)
})

test("a replica that answers at once is given a few milliseconds all the same", () => {
  expect(speculativeDelayMs("99p", 0.1)).toBe(4)
})

test("delays are rounded up to few different ones", () => {
  expect([0, 1, 3, 4, 5, 100].map(roundedDelayMs)).toEqual([1, 1, 4, 4, 8, 128])
})
