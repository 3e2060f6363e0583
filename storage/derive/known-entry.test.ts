// View entries that a store has already: every base replica sends the same.
import { expect, test } from "vitest"
import { createSimulation } from "../../runtime/simulated/simulation.ts"
import { run as compact } from "../jobs/compact.ts"
import { run as flush } from "../jobs/flush.ts"
import { openStore } from "../open-store.ts"
import type { Store } from "../store.ts"
import { TextSink, commandOf, simplePut, testTable } from "../testing.ts"

const TABLE = testTable()

async function open(): Promise<{ store: Store; settle<T>(promise: T | Promise<T>): Promise<T> }> {
  const simulation = createSimulation(1, { bodies: { flush, compact } })
  const settle = async <T>(promise: T | Promise<T>): Promise<T> => {
    let done = false
    const settled = Promise.resolve(promise).finally(() => {
      done = true
    })
    await simulation.run(() => done)
    return settled
  }
  const { disk, clock, jobs } = simulation.start(1)
  const store = await settle(openStore({ disk, clock, jobs, directory: "data", hostId: "h", clusterName: "c", options: { tables: [TABLE] }, events: { obligation: () => undefined } }))
  return { store, settle }
}

test("an entry that is there already is not written again, and is as durable as the log", async () => {
  const { store, settle } = await open()
  const first = await store.apply(simplePut("k", 1, 5, "x"), "view", null)
  const bytes = store.stats(TABLE.id).memtableBytes
  const other = await store.apply(simplePut("k", 2, 6, "y"), "view", null)
  expect(store.apply(simplePut("k", 1, 5, "x"), "view", null)).toEqual(store.lastPosition())
  expect(store.lastPosition()).toEqual(other)
  // An older fragment of the row counts too.
  await store.apply(simplePut("k", 1, 4, "older"), "view", null)
  const last = store.lastPosition()
  expect(store.apply(simplePut("k", 1, 5, "x"), "view", null)).toEqual(last)
  expect([first.segment, store.stats(TABLE.id).memtableBytes]).toEqual([last.segment, bytes])
  // What differs in anything is written.
  for (const mutation of [simplePut("k", 1, 5, "y"), simplePut("k", 1, 7, "x"), simplePut("k", 3, 5, "x"), simplePut("l", 1, 5, "x")]) {
    store.writeOut()
    const before = store.lastPosition()
    await store.apply(mutation, "view", null)
    expect(store.lastPosition()).not.toEqual(before)
  }
  const sink = new TextSink()
  await settle(store.read(commandOf({ table: TABLE, key: "k" }), sink))
  expect(sink.lines.join("\n")).toContain("x@7")
  // After a flush nobody looks at the disk for it: it is written once more, which changes nothing.
  await settle(store.flush())
  const flushed = store.lastPosition()
  await store.apply(simplePut("k", 1, 7, "x"), "view", null)
  expect(store.lastPosition()).not.toEqual(flushed)
  await settle(store.close())
})
