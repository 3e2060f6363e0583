import { expect, test } from "vitest"
import { ByteWriter } from "../../data/bytes.ts"
import { OutboxBatch } from "./outbox-batch.ts"
import type { Obligation } from "./outbox-obligation.ts"
import { TargetQueue } from "./target-queue.ts"

const obligation = (version: number): Obligation => ({ version, waitsFor: [] as number[] }) as unknown as Obligation

/** A batch of so many entries, sealed. */
function seal(queue: TargetQueue, entries: number, nowMs: number): OutboxBatch {
  const batch = new OutboxBatch(queue.target, queue.nextNumber(), 0, 1, new ByteWriter(8))
  for (let version = 1; version <= entries; version++) {
    batch.obligations.push(obligation(version))
    batch.versions.push(version)
    queue.added()
  }
  queue.sealed(batch, nowMs)
  return batch
}

test("gives out what waits in the order in which it came, each once", () => {
  const queue = new TargetQueue(2, 10)
  const [one, two, three] = [obligation(1), obligation(2), obligation(3)]
  for (const each of [one, two, one, three]) queue.wait(each)
  new TargetQueue(3, 10).wait(one)
  expect([one.waitsFor, two.waitsFor]).toEqual([[2, 3], [2]])
  expect([queue.isWaiting, queue.take(), queue.take(), queue.take(), queue.take(), queue.isWaiting]).toEqual([true, one, two, three, null, false])
  expect([one.waitsFor, two.waitsFor]).toEqual([[3], []])
  queue.wait(one)
  expect([queue.take(), queue.take()]).toEqual([one, null])
})

test("does not slow down with how many it has given out", () => {
  const queue = new TargetQueue(2, 10)
  const all = Array.from({ length: 25_000 }, (_, index) => obligation(index))
  for (const each of all) queue.wait(each)
  for (const each of all.slice(0, 20_000)) expect(queue.take() === each).toBe(true)
  queue.wait(all[0] as Obligation)
  for (const each of [...all.slice(20_000), all[0]]) expect(queue.take() === each).toBe(true)
  expect(queue.take()).toBeNull()
})

test("has room for a window of entries that are under way", () => {
  const queue = new TargetQueue(2, 3)
  const first = seal(queue, 2, 0)
  expect([queue.hasRoom, queue.inFlight]).toEqual([true, 2])
  const second = seal(queue, 1, 0)
  expect(queue.hasRoom).toBe(false)
  expect([queue.answered(first.number), queue.answered(first.number), queue.answered(77)]).toEqual([first, null, null])
  expect([queue.hasRoom, queue.inFlight]).toEqual([true, 1])
  expect(queue.answered(second.number)).toBe(second)
  expect(queue.inFlight).toBe(0)
})

test("gives up batches sealed before a time, once; a late answer finds them all the same, a very late one does not", () => {
  const queue = new TargetQueue(2, 10)
  const [one, two, three] = [seal(queue, 1, 100), seal(queue, 2, 200), seal(queue, 3, 300)]
  expect(queue.expire(100, 0)).toEqual([])
  expect(queue.expire(201, 0)).toEqual([one, two])
  expect([queue.expire(201, 0), queue.inFlight]).toEqual([[], 3])
  expect([queue.answered(one.number), queue.inFlight]).toEqual([one, 3])
  expect(queue.expire(1000, 250)).toEqual([three])
  expect([queue.answered(two.number), queue.answered(three.number), queue.inFlight]).toEqual([null, three, 0])
})

test("what was refused waits from the next time on", () => {
  const queue = new TargetQueue(2, 3)
  const [one, two] = [obligation(1), obligation(2)]
  queue.waitLonger(one)
  queue.waitLonger(one)
  queue.waitLonger(two)
  expect(queue.take()).toBeNull()
  queue.readmit()
  expect([queue.take(), queue.take(), queue.take(), one.waitsFor]).toEqual([one, two, null, []])
  queue.readmit()
  expect(queue.take()).toBeNull()
})
