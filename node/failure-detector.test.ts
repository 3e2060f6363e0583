import { expect, test } from "vitest"
import { FailureDetector } from "./failure-detector.ts"

test("a node that was never heard of is dead", () => {
  expect(new FailureDetector(8, 200).isAlive(2, 0)).toBe(false)
})

test("phi grows with silence and a heartbeat resets it", () => {
  const detector = new FailureDetector(8, 200)
  for (let nowMs = 0; nowMs <= 2000; nowMs += 200) detector.heartbeat(2, nowMs)
  expect(detector.isAlive(2, 2200)).toBe(true)
  // 8 / log10(e) * 200 ms = 3.7 s of silence
  expect(detector.isAlive(2, 2000 + 3600)).toBe(true)
  expect(detector.isAlive(2, 2000 + 3800)).toBe(false)
  detector.heartbeat(2, 2000 + 4000)
  expect(detector.isAlive(2, 2000 + 4100)).toBe(true)
})

test("silence while the judge itself was paused does not count", () => {
  const detector = new FailureDetector(8, 200)
  for (let nowMs = 0; nowMs <= 2000; nowMs += 200) detector.heartbeat(2, nowMs)
  detector.forgive(10_000)
  expect(detector.isAlive(2, 2000 + 10_000 + 3600)).toBe(true)
  expect(detector.isAlive(2, 2000 + 10_000 + 3800)).toBe(false)
})

test("a slower rhythm is learnt, a burst is not", () => {
  const slow = new FailureDetector(8, 200)
  for (let nowMs = 0; nowMs <= 20_000; nowMs += 400) slow.heartbeat(2, nowMs)
  expect(slow.isAlive(2, 20_000 + 6000)).toBe(true)
  const burst = new FailureDetector(8, 200)
  for (let nowMs = 0; nowMs <= 1000; nowMs += 10) burst.heartbeat(2, nowMs)
  expect(burst.isAlive(2, 1000 + 3600)).toBe(true)
})

test("a long pause does not count as rhythm", () => {
  const detector = new FailureDetector(8, 200)
  for (let nowMs = 0; nowMs <= 2000; nowMs += 200) detector.heartbeat(2, nowMs)
  detector.heartbeat(2, 60_000)
  expect(detector.isAlive(2, 60_000 + 3800)).toBe(false)
})
