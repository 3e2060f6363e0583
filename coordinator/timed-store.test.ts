import { expect, test } from "vitest"
import type { LocalStore, RowSink } from "../data/local-store.ts"
import { MutationWriter } from "../data/mutation.ts"
import type { ReadCommand } from "../data/read-command.ts"
import type { Clock } from "../runtime/clock.ts"
import { OPERATION } from "./request-latencies.ts"
import { TimedStore } from "./timed-store.ts"

const POSITION = { segment: 1, offset: 0 }
const NO_SINK: RowSink = { partition() {}, rangeTombstone() {}, row: () => true, partitionEnd() {} }
const BYTES = Buffer.alloc(0)

/** A store and a clock of which every operation takes 3 ms. */
function slow(over: Partial<LocalStore>): TimedStore {
  let nowMs = 0
  const clock = { monotonicMs: () => nowMs } as Clock
  const store = { apply: () => ((nowMs += 3), POSITION), read: () => void (nowMs += 3), readDirect: () => ((nowMs += 3), true), ...over }
  return new TimedStore(store as unknown as LocalStore, clock)
}

function mutationOf(...tables: number[]): Buffer {
  const writer = new MutationWriter(64)
  writer.begin(Buffer.from("key"), 0, 3)
  for (const table of tables) {
    writer.beginUpdate(table)
    writer.endUpdate()
  }
  writer.end()
  return Buffer.from(writer.out.view())
}

function command(kind: "partition" | "range", table = 7): ReadCommand {
  return { table: { id: table }, target: { kind } } as unknown as ReadCommand
}

test("every write counts for each of its tables, one in sixteen is timed", () => {
  const store = slow({})
  for (let times = 0; times < 20; times++) expect(store.apply(mutationOf(5, 6), "client", null)).toBe(POSITION)
  expect(store.of(5)?.latencies[OPERATION.write].distribution()).toMatchObject({ count: 20, median: 3000, max: 3000 })
  expect(store.of(6)?.latencies[OPERATION.write].distribution()).toMatchObject({ count: 20, max: 0 })
  expect(store.of(9)).toBeNull()
})

test("what failed does not count; a promise counts when it has resolved", async () => {
  let fail = true
  const waiting = Promise.withResolvers<typeof POSITION>()
  const store = slow({
    apply: () => {
      if (fail) throw new Error("full")
      return waiting.promise
    },
  })
  expect(() => store.apply(mutationOf(5), "client", null)).toThrow("full")
  fail = false
  const applied = store.apply(mutationOf(5), "client", null)
  expect(store.of(5)?.latencies[OPERATION.write].count).toBe(0)
  waiting.resolve(POSITION)
  await applied
  await Promise.resolve()
  expect(store.of(5)?.latencies[OPERATION.write].count).toBe(1)
})

test("the first read of 64 goes the long way and has its rows counted", () => {
  const store = slow({
    read: (_command, sink) => {
      sink.partition({ high: 0, low: 0 }, BYTES, null)
      for (const live of [true, false, true, true]) sink.row(BYTES, 0, 0, live)
      sink.partitionEnd()
    },
  })
  const direct = (): boolean => store.readDirect({ table: { id: 7 } } as never, {} as never)
  const long: number[] = []
  for (let times = 0; times < 130; times++) {
    if (direct()) continue
    long.push(times)
    void store.read(command("partition"), NO_SINK)
  }
  expect(long).toEqual([0, 64, 128])
  expect(store.of(7)?.latencies[OPERATION.read].count).toBe(130)
  expect(store.of(7)?.rows.distribution()).toMatchObject({ count: 3, max: 3 })
  expect(store.of(7)?.tombstones.distribution()).toMatchObject({ count: 3, max: 1 })
})

test("scans are none of the reads, and dropped tables are forgotten", () => {
  const store = slow({})
  void store.read(command("range"), NO_SINK)
  expect(store.of(7)?.latencies.map(({ count }) => count)).toEqual([0, 1, 0])
  store.tick(5, () => false)
  expect(store.of(7)).toBeNull()
  void store.read(command("range"), NO_SINK)
  expect(store.of(7)?.latencies.map(({ count }) => count)).toEqual([0, 1, 0])
})
