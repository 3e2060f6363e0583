// Purging: readers see the same before and after any compaction, and what can go does go. A store that purges is compared
// with one that never does; then one thing after the other that a purge must wait for.
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { COLUMN } from "../testing.ts"
import { type Item, StoreRig, itemMutation, strategyOf, tableWith } from "./testing-store.ts"

const START = 1_735_689_600
const GRACE = 100
/** Windows of a minute, timestamps in seconds: tables of different windows are never merged, so that each is outside for the others. */
const WINDOWS = { compaction_window_unit: "MINUTES", compaction_window_size: "1", timestamp_resolution: "SECONDS", min_threshold: "2" }
const STRATEGIES = [strategyOf("TimeWindow", WINDOWS), strategyOf("SizeTiered", { min_threshold: "2" }), strategyOf("Leveled"), strategyOf("Unified", { scaling_parameters: "N", min_sstable_size: "0B", base_shard_count: "2" })]

const second = fc.integer({ min: START - 2 * GRACE, max: START + 20 })
const clustering = fc.nat(3)
const column = fc.constantFrom(COLUMN.a, COLUMN.b, COLUMN.c)
const value = fc.constantFrom("", "x", "y")
const item: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ kind: fc.constantFrom("value" as const, "marker" as const), clustering, column, value }),
  fc.record({ kind: fc.constantFrom("expiring" as const, "expiring marker" as const), clustering, column, value, second }),
  fc.record({ kind: fc.constantFrom("cell" as const, "row" as const, "set" as const), clustering, column, second }),
  fc.record({ kind: fc.constant("range" as const), from: clustering, to: fc.integer({ min: 3, max: 5 }), second }),
  fc.record({ kind: fc.constant("partition" as const), second }),
)
const timestamp = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 61, max: 66 }), fc.integer({ min: 121, max: 124 }))
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("write" as const), key: fc.constantFrom("a", "b"), timestamp, item }) },
  { weight: 2, arbitrary: fc.constant({ kind: "flush" as const }) },
)

test.each(STRATEGIES)("readers see the same whatever was purged: $class", async (compaction) => {
  let purged = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 24 }), fc.integer({ min: 0, max: 40 }), fc.nat(1000), async (steps, wait, seed) => {
      const rigs = await Promise.all([GRACE, 2 ** 31 - 1].map((gcGraceSeconds) => new StoreRig([tableWith({ gcGraceSeconds, compaction: { ...compaction, enabled: "false" } })], { seed }).open()))
      const [rig, other] = rigs as [StoreRig, StoreRig]
      // Everything is written before the first purge: what comes later than gc_grace_seconds is another matter.
      for (const { write, flush } of steps.map((one) => (one.kind === "write" ? { write: one, flush: false } : { write: null, flush: true }))) {
        for (const each of rigs) {
          if (write !== null) each.write(itemMutation(write.key, write.timestamp, write.item))
          if (flush) await each.flush()
        }
      }
      const seconds = (): number[] => [0, 1, 30, GRACE, 10 * GRACE].map((more) => Math.max(rig.nowSeconds, other.nowSeconds) + more)
      const check = (): void => {
        for (const at of seconds()) expect(rig.visible(at)).toEqual(other.visible(at))
      }
      check()
      for (const each of rigs) each.store.setTables([tableWith({ gcGraceSeconds: each === rig ? GRACE : 2 ** 31 - 1, compaction })])
      for (const each of rigs) await each.quiet()
      check()
      for (const each of rigs) {
        await each.pass(wait)
        await each.flush()
        await each.quiet()
      }
      check()
      for (const each of rigs) await each.settle(each.store.compact(1000))
      check()
      for (const each of rigs) await each.restart()
      check()
      purged += other.raw().length - rig.raw().length
      expect([...rig.failures, ...other.failures]).toEqual([])
    }),
    { numRuns: Number(process.env["PURGE_RUNS"] ?? 6) },
  )
  expect(purged).toBeGreaterThan(0)
}, 600_000)

const DEAD: readonly (readonly [string, Item])[] = [
  ["a cell's tombstone", { kind: "cell", clustering: 1, column: COLUMN.a, second: START }],
  ["a row deletion", { kind: "row", clustering: 1, column: COLUMN.a, second: START }],
  ["a collection's deletion", { kind: "set", clustering: 1, column: COLUMN.c, second: START }],
  ["a range tombstone", { kind: "range", from: 1, to: 4, second: START }],
  ["a partition deletion", { kind: "partition", second: START }],
  ["an expired cell", { kind: "expiring", clustering: 1, column: COLUMN.a, value: "x", second: START }],
  ["an expired marker", { kind: "expiring marker", clustering: 1, column: COLUMN.a, value: "", second: START }],
]

async function rigWith(events: ConstructorParameters<typeof StoreRig>[1] = {}, views: Parameters<typeof tableWith>[1] = {}): Promise<StoreRig> {
  const table = tableWith({ gcGraceSeconds: GRACE, compaction: strategyOf("SizeTiered", { enabled: "false" }) }, views)
  return new StoreRig([table, ...(views.views ?? [])], events).open()
}

async function compacted(rig: StoreRig): Promise<string[]> {
  await rig.settle(rig.store.compact(1000))
  return rig.raw()
}

describe.each(DEAD)("%s", (_, dead) => {
  test("goes when gc_grace_seconds have passed, not a second before", async () => {
    const rig = await rigWith()
    rig.write(itemMutation("k", 5, dead))
    await rig.flush()
    await rig.pass(START + GRACE - rig.nowSeconds)
    expect((await compacted(rig)).length).toBeGreaterThan(0)
    await rig.pass(2)
    expect(await compacted(rig)).toEqual([])
    expect(rig.store.stats(1000)).toMatchObject({ sstables: 0, diskBytes: 0 })
  })

  test("stays while something that it shadows may be in another table, or in memory", async () => {
    const shadowed = dead.kind === "set" || dead.kind === "expiring marker" ? { ...dead, second: START - 1 } : ({ kind: "value", clustering: 1, column: COLUMN.a, value: "old" } as const)
    const rig = await rigWith()
    await rig.pass(2 * GRACE)
    rig.write(itemMutation("k", 5, dead))
    await rig.flush()
    rig.write(itemMutation("k", 5, shadowed))
    expect((await compacted(rig)).length).toBeGreaterThan(0)
    const before = rig.visible(rig.nowSeconds)
    await rig.flush()
    expect(rig.visible(rig.nowSeconds)).toEqual(before)
    // Both together: nothing outside is left.
    expect(await compacted(rig)).toEqual([])
  })

  test.each([["the partition has something newer in memory", "k", 6], ["another partition has something older in memory", "other", 1]])("goes although %s", async (_name, key, timestamp) => {
    const rig = await rigWith()
    await rig.pass(2 * GRACE)
    rig.write(itemMutation("k", 5, dead))
    await rig.flush()
    rig.write(itemMutation(key, timestamp, { kind: "marker", clustering: 9, column: COLUMN.a, value: "" }))
    await compacted(rig)
    expect(rig.store.stats(1000).sstables).toBe(0)
  })
})

test("only_purge_repaired_tombstones: nothing is repaired, and nothing purged", async () => {
  const table = tableWith({ gcGraceSeconds: 0, compaction: strategyOf("SizeTiered", { only_purge_repaired_tombstones: "true" }) })
  const rig = await new StoreRig([table]).open()
  rig.write(itemMutation("k", 5, { kind: "cell", clustering: 1, column: COLUMN.a, second: 1 }))
  await rig.flush()
  expect((await compacted(rig)).length).toBeGreaterThan(0)
})

test("tables of nothing but expired data are dropped without being read, in time windows", async () => {
  const table = tableWith({ gcGraceSeconds: GRACE, compaction: strategyOf("TimeWindow", { ...WINDOWS, expired_sstable_check_frequency_seconds: "60" }) })
  const reasons: string[] = []
  const rig = await new StoreRig([table], { events: { compacted: ({ reason }) => reasons.push(reason) } }).open()
  for (const timestamp of [10, 70]) {
    rig.write(itemMutation("k", timestamp, { kind: "expiring", clustering: 1, column: COLUMN.a, value: "x", second: START + timestamp }))
    await rig.flush()
  }
  rig.write(itemMutation("k", 130, { kind: "value", clustering: 2, column: COLUMN.a, value: "lasting" }))
  await rig.flush()
  expect(rig.store.stats(1000).sstables).toBe(3)
  await rig.pass(GRACE + 140)
  expect(reasons).toEqual(["expired", "expired"])
  expect(rig.store.stats(1000).sstables).toBe(1)
  expect(rig.visible(rig.nowSeconds)).toEqual(["k 2 3=lasting@130"])
})

test("a write as old as what is being purged, while the job runs: the result is thrown away, the next one purges nothing", async () => {
  const records: number[] = []
  const rig = await rigWith({ events: { compacted: ({ bytesOut }) => records.push(bytesOut) } })
  await rig.pass(2 * GRACE)
  rig.write(itemMutation("k", 5, { kind: "row", clustering: 1, column: COLUMN.a, second: START }))
  await rig.flush()
  const compaction = rig.store.compact(1000)
  await rig.settle(rig.process.clock.sleep(0.05))
  expect(rig.store.compactions()).toMatchObject([{ table: 1000, reason: "major", inputs: 1 }])
  rig.write(itemMutation("k", 4, { kind: "value", clustering: 1, column: COLUMN.a, value: "late" }))
  await rig.settle(compaction)
  expect(rig.visible(rig.nowSeconds)).toEqual([])
  expect(records).toEqual([])
  await rig.flush()
  expect(await compacted(rig)).not.toEqual([])
  expect(rig.visible(rig.nowSeconds)).toEqual([])
  await rig.pass(61)
  expect(await compacted(rig)).toEqual([])
})
