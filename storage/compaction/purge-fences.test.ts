// The fences that purging keeps for views (section 7 of docs/views.md), on a store: F2, nothing goes about which a view is
// still owed something; F3, a view waits until messages that left before are too old; F6, late writes are marked.
import { describe, expect, test } from "vitest"
import { MutationWriter } from "../../data/mutation.ts"
import { encodeClustering } from "../../data/row-format.ts"
import type { Row } from "../../data/row.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import { makeView } from "../../data/testdata/view-tables.ts"
import { tokenOf } from "../../data/token.ts"
import type { Token } from "../../data/topology.ts"
import { VIEW_MESSAGE_MAX_AGE_MS } from "../../data/view-message-age.ts"
import { MemorySpace } from "../memtable/memory-space.ts"
import { TableStore } from "../table-store.ts"
import { COLUMN, testTable } from "../testing.ts"
import { takeFence } from "./purge-fence.ts"
import { StoreRig, itemMutation, strategyOf, tableWith } from "./testing-store.ts"
import { optionsOf } from "./testing.ts"

const GRACE = 10
const TOMBSTONE = { kind: "row", clustering: 1, column: COLUMN.a, second: 1 } as const
const VALUE = { kind: "value", clustering: 1, column: COLUMN.a, value: "x" } as const
const side = testTable({ id: 1001 })

/** A base table with a view, and a store that is told what is owed. */
async function rigOf(owed: (() => readonly Token[] | "all") | null, compaction = strategyOf("SizeTiered", { enabled: "false" })): Promise<StoreRig> {
  const base = tableWith({ gcGraceSeconds: GRACE, compaction }, { views: [side] })
  return new StoreRig([base, side], { events: owed === null ? {} : { owed } }).open()
}
async function compacted(rig: StoreRig): Promise<string[]> {
  await rig.settle(rig.store.compact(1000))
  return rig.raw()
}

describe("F2", () => {
  test("a partition about which something is owed keeps what is dead, others do not", async () => {
    const rig = await rigOf(() => [tokenOf(Buffer.from("owed")), tokenOf(Buffer.from("not here"))])
    for (const key of ["owed", "free"]) rig.write(itemMutation(key, 5, TOMBSTONE))
    await rig.flush()
    expect(await compacted(rig)).toEqual(["owed", "  1 deleted@5 (dead)", "  ."])
  })

  test.each([["everything is owed", (): "all" => "all"], ["nobody knows what is owed", null]] as const)("when %s, nothing goes", async (_, owed) => {
    const rig = await rigOf(owed)
    rig.write(itemMutation("k", 5, TOMBSTONE))
    await rig.flush()
    expect(await compacted(rig)).not.toEqual([])
  })

  test("what comes to be owed while the job runs is waited for", async () => {
    let owed: Token[] = []
    const rig = await rigOf(() => owed)
    rig.write(itemMutation("k", 5, TOMBSTONE))
    await rig.flush()
    const compaction = rig.store.compact(1000)
    await rig.settle(rig.process.clock.sleep(0.05))
    owed = [tokenOf(Buffer.from("k"))]
    await rig.pass(2)
    expect(rig.raw()).not.toEqual([])
    expect(rig.store.compactions().length).toBe(1)
    owed = []
    await rig.settle(compaction)
    expect(rig.raw()).toEqual([])
  })

  test("but not for ever: the result is thrown away, and the table compacted without purging for a while", async () => {
    let owed: Token[] = []
    const rig = await rigOf(() => owed)
    rig.write(itemMutation("k", 5, TOMBSTONE))
    await rig.flush()
    const compaction = rig.store.compact(1000)
    await rig.settle(rig.process.clock.sleep(0.05))
    owed = [tokenOf(Buffer.from("k"))]
    await rig.settle(compaction)
    expect(rig.raw()).not.toEqual([])
    owed = []
    expect(await compacted(rig)).not.toEqual([])
    expect(rig.process.disk.list("data/tables/1000").length).toBe(1)
    await rig.pass(60)
    expect(await compacted(rig)).toEqual([])
  })

  test("expired tables are not dropped while something about one of their partitions is owed", async () => {
    let owed = [tokenOf(Buffer.from("k"))]
    const rig = await rigOf(() => owed, strategyOf("TimeWindow", { expired_sstable_check_frequency_seconds: "60" }))
    rig.write(itemMutation("k", 5, { kind: "expiring", clustering: 1, column: COLUMN.a, value: "x", second: rig.nowSeconds }))
    await rig.flush()
    await rig.pass(300)
    expect(rig.store.stats(1000).sstables).toBe(1)
    owed = []
    await rig.pass(130)
    expect(rig.store.stats(1000).sstables).toBe(0)
  })
})

describe("F3", () => {
  const plain = makeView({ keys: ["a"], select: ["b"] })
  const view = resolveTable({ ...plain.descriptor, options: { ...plain.descriptor.options, gcGraceSeconds: 0, compaction: strategyOf("SizeTiered", { enabled: "false" }) } })
  const deletion = { timestampHigh: 0, timestampLow: 5, localDeletionTime: 1 }

  function mask(): Buffer {
    const row: Row = { isStatic: false, clustering: encodeClustering([Buffer.from("p"), Buffer.from("q")]), marker: null, deletion, complexDeletions: [], cells: [] }
    const writer = new MutationWriter()
    writer.begin(Buffer.from("key"), 0, 3)
    writer.beginUpdate(view.id)
    writer.row(row)
    writer.endUpdate()
    return Buffer.from(writer.end())
  }
  const files = (rig: StoreRig): number => rig.store.stats(view.id).sstables

  test("what is dead stays for twice the age of a message after it arrived, however long ago it died", async () => {
    const rig = await new StoreRig([view]).open()
    await rig.settle(Promise.resolve(rig.store.apply(mask(), "view", null)))
    await rig.flush()
    await rig.pass((2 * VIEW_MESSAGE_MAX_AGE_MS) / 1000 - 5)
    await rig.settle(rig.store.compact(view.id))
    expect(files(rig)).toBe(1)
    // A table that was compacted keeps the arrival of its youngest part.
    await rig.restart()
    await rig.pass(10)
    await rig.settle(rig.store.compact(view.id))
    expect(files(rig)).toBe(0)
  })

  test("nothing goes while a message that was received in time still waits for room", async () => {
    const rig = await new StoreRig([view]).open()
    await rig.pass(1000)
    const table = new TableStore(view, new MemorySpace(1 << 20))
    const fence = (longestWaitMs: number): unknown =>
      takeFence({ table, inputs: [], options: optionsOf("SizeTiered"), nowSeconds: rig.nowSeconds, longestWaitMs, events: { obligation: () => undefined } })
    expect(fence(VIEW_MESSAGE_MAX_AGE_MS - 1)).not.toBeNull()
    expect(fence(VIEW_MESSAGE_MAX_AGE_MS)).toBeNull()
  })
})

describe("F6", () => {
  test("a write at or below what was purged is marked, also over a restart and a flush, until a scrub has been there", async () => {
    const rig = await rigOf(() => [])
    rig.write(itemMutation("k", 50, TOMBSTONE))
    await rig.flush()
    rig.write(itemMutation("before", 40, VALUE))
    expect(await compacted(rig)).toEqual(["before", "  1 3=x@40", "  ."])
    expect(rig.store.lateRanges(1000)).toEqual([])
    rig.write(itemMutation("in time", 51, VALUE))
    expect(rig.store.lateRanges(1000)).toEqual([])
    rig.write(itemMutation("late", 50, VALUE))
    const token = tokenOf(Buffer.from("late"))
    expect(rig.store.lateRanges(1000)).toMatchObject([{ end: token }])
    rig.store.writeOut()
    // Found again in the log, with the other one that is below the mark, then in the manifest.
    await rig.restart()
    expect(rig.store.lateRanges(1000).map(({ end }) => end)).toContainEqual(token)
    await rig.flush()
    await rig.restart()
    const marked = rig.store.lateRanges(1000)
    expect(marked.map(({ end }) => end)).toContainEqual(token)
    for (const range of marked) rig.store.forgetLate(1000, range)
    expect(rig.store.lateRanges(1000)).toEqual([])
    rig.write(itemMutation("late", 3, TOMBSTONE))
    expect(rig.store.lateRanges(1000).length).toBe(1)
    await rig.settle(rig.store.truncate(1000))
    expect(rig.store.lateRanges(1000)).toEqual([])
  })

  test("a table without views is not watched", async () => {
    const rig = await new StoreRig([tableWith({ gcGraceSeconds: GRACE, compaction: strategyOf("SizeTiered", { enabled: "false" }) })]).open()
    rig.write(itemMutation("k", 50, TOMBSTONE))
    await rig.flush()
    expect(await compacted(rig)).toEqual([])
    rig.write(itemMutation("k", 40, VALUE))
    expect(rig.store.lateRanges(1000)).toEqual([])
    expect(rig.visible(rig.nowSeconds)).toEqual(["k 1 3=x@40"])
  })
})
