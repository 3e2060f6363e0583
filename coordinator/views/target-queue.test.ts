import { expect, test } from "vitest"
import type { Obligation } from "./outbox-obligation.ts"
import { TargetQueue } from "./target-queue.ts"

const obligation = (version: number): Obligation => ({ version }) as Obligation

test("gives out what waits in the order in which it came, each once", () => {
  const queue = new TargetQueue(2, 10)
  const [one, two, three] = [obligation(1), obligation(2), obligation(3)]
  for (const each of [one, two, one, three]) queue.wait(each)
  queue.forget(two)
  expect([queue.isWaiting, queue.take(), queue.take(), queue.take(), queue.isWaiting]).toEqual([true, one, three, null, false])
})

test("has room for a window of what is under way", () => {
  const queue = new TargetQueue(2, 2)
  queue.sent(1, 0)
  expect([queue.hasRoom, queue.isInFlight(1), queue.isInFlight(2)]).toEqual([true, true, false])
  queue.sent(2, 0)
  expect(queue.hasRoom).toBe(false)
  queue.landed(1)
  queue.landed(7)
  expect([queue.hasRoom, queue.isInFlight(1)]).toEqual([true, false])
})

test("gives up what was sent before a time, the oldest first, and lets its room go", () => {
  const queue = new TargetQueue(2, 3)
  queue.sent(1, 100)
  queue.sent(2, 200)
  queue.sent(3, 300)
  queue.landed(1)
  queue.sent(1, 400)
  expect(queue.expire(200)).toEqual([])
  expect(queue.expire(301)).toEqual([2, 3])
  expect([queue.hasRoom, queue.isInFlight(1), queue.expire(1000)]).toEqual([true, true, [1]])
})

test("what was refused waits from the next time on", () => {
  const queue = new TargetQueue(2, 3)
  const [one, two] = [obligation(1), obligation(2)]
  queue.waitLonger(one)
  queue.waitLonger(two)
  expect(queue.take()).toBeNull()
  queue.forget(two)
  queue.readmit()
  expect([queue.take(), queue.take()]).toEqual([one, null])
  queue.readmit()
  expect(queue.take()).toBeNull()
})
