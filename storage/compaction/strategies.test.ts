// Laws of the strategies, over random tables and random histories of flushes and compactions in which data are not merged
// but counted: a compaction's output has the bytes of its inputs, cut as the choice says.
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type Choice, type CompactionTable, overlap, totalBytes } from "./choice.ts"
import type { CompactionOptions } from "./compaction-options.ts"
import { LEVEL_0_LIMIT, levelsOf, maxLevelBytes } from "./leveled.ts"
import { chooseCompaction, chooseMajor, droppableRatio } from "./strategy.ts"
import { CONTEXT, MIB, optionsOf, tableOf } from "./testing.ts"
import { windowOf } from "./time-window.ts"
import { densityOf, overlapSets, shardBoundaries, shardsOf } from "./unified.ts"

const STRATEGIES: readonly (readonly [string, CompactionOptions])[] = [
  ["size-tiered", optionsOf("SizeTiered", { min_sstable_size: "1000" })],
  ["size-tiered, odd options", optionsOf("SizeTiered", { min_threshold: "2", max_threshold: "3", bucket_low: "0.9", bucket_high: "1.1" })],
  ["leveled", optionsOf("Leveled", { sstable_size_in_mb: "2" })],
  ["leveled, fanout 3", optionsOf("Leveled", { sstable_size_in_mb: "1", fanout_size: "3", single_sstable_uplevel: "false" })],
  ["time-window", optionsOf("TimeWindow", { compaction_window_unit: "MINUTES", compaction_window_size: "1", timestamp_resolution: "SECONDS" })],
  ["unified, tiered", optionsOf("Unified", { target_sstable_size: "4MiB", min_sstable_size: "1MiB" })],
  ["unified, leveled", optionsOf("Unified", { scaling_parameters: "L4, N", target_sstable_size: "4MiB", min_sstable_size: "1MiB", base_shard_count: "2" })],
  ["unified, little at once", optionsOf("Unified", { scaling_parameters: "T3", max_sstables_to_compact: "3", overlap_inclusion_method: "SINGLE", target_sstable_size: "4MiB", min_sstable_size: "0B" })],
]

const MIN = -(2n ** 63n)
const token = fc.bigInt({ min: MIN + 1n, max: 2n ** 63n - 1n })
const anyTable = fc.record({ bytes: fc.integer({ min: 1, max: 3 * MIB }), a: token, b: token, timestamp: fc.bigInt({ min: -1000n, max: 1000n }), wide: fc.boolean(), busy: fc.boolean() })

function tablesFrom(specs: readonly { bytes: number; a: bigint; b: bigint; timestamp: bigint; wide: boolean; busy: boolean }[]): CompactionTable[] {
  return specs.map(({ bytes, a, b, timestamp, wide, busy }, index) => {
    const span = wide ? {} : { firstToken: a < b ? a : b, lastToken: a < b ? b : a }
    return tableOf(index + 1, { bytes, ...span, minTimestamp: timestamp, maxTimestamp: timestamp + 10n, busy })
  })
}

/** What a compaction leaves: nothing is lost and nothing merged. */
function outputsOf(choice: Choice, inputs: readonly CompactionTable[], nextNumber: number): CompactionTable[] {
  if (choice.kind === "drop") return []
  if (choice.kind === "move") return inputs.map((table) => ({ ...table, level: choice.level }))
  const least = (values: readonly bigint[]): bigint => values.reduce((a, b) => (a < b ? a : b))
  const most = (values: readonly bigint[]): bigint => values.reduce((a, b) => (a > b ? a : b))
  const [first, last] = [least(inputs.map(({ firstToken }) => firstToken)), most(inputs.map(({ lastToken }) => lastToken))]
  const bytes = totalBytes(inputs)
  const cuts = choice.boundaries.filter((boundary) => boundary > first && boundary <= last)
  const parts = Number.isFinite(choice.maxOutputBytes) ? Math.max(1, Math.ceil(bytes / choice.maxOutputBytes)) : 1
  const span = last - first
  const inner = [...cuts, ...Array.from({ length: parts - 1 }, (_, index) => first + (span * BigInt(index + 1)) / BigInt(parts))].filter((cut) => cut > first && cut <= last)
  const starts = [...new Set([first, ...inner])].sort((a, b) => (a < b ? -1 : 1))
  const minTimestamp = least(inputs.map((table) => table.minTimestamp))
  const maxTimestamp = most(inputs.map((table) => table.maxTimestamp))
  return starts.map((start, index) => {
    const end = starts[index + 1] === undefined ? last : (starts[index + 1] as bigint) - 1n
    const share = span === 0n ? 1 : Number(end - start + 1n) / Number(span + 1n)
    return tableOf(nextNumber + index, { bytes: Math.max(1, Math.round(bytes * share)), level: choice.level, firstToken: start, lastToken: end, minTimestamp, maxTimestamp, createdAt: CONTEXT.nowSeconds })
  })
}

/** Compacts until there is nothing to do; the number of compactions, which is bounded. */
function settle(tables: CompactionTable[], options: CompactionOptions, check: (choice: Choice, inputs: CompactionTable[]) => void = () => undefined): { tables: CompactionTable[]; rewritten: number } {
  let current = tables
  let nextNumber = 1 + Math.max(0, ...tables.map(({ number }) => number))
  let rewritten = 0
  for (let rounds = 0; ; rounds++) {
    expect(rounds, "compactions of the same data").toBeLessThan(1000)
    const choice = chooseCompaction(current, options, CONTEXT)
    if (choice === null) return { tables: current, rewritten }
    const inputs = current.filter(({ number }) => choice.inputs.includes(number))
    check(choice, inputs)
    if (choice.kind === "merge") rewritten += totalBytes(inputs)
    const outputs = outputsOf(choice, inputs, nextNumber)
    nextNumber += outputs.length
    current = [...outputs, ...current.filter((table) => !inputs.includes(table))]
  }
}

describe.each(STRATEGIES)("%s", (name, options) => {
  test("a choice names tables that are there and not busy, each once, and no table is in two", () => {
    fc.assert(
      fc.property(fc.array(anyTable, { maxLength: 25 }), (specs) => {
        let tables = tablesFrom(specs)
        for (let rounds = 0; rounds < 50; rounds++) {
          const choice = chooseCompaction(tables, options, CONTEXT)
          if (choice === null) return
          expect(choice.inputs.length).toBeGreaterThan(0)
          expect(new Set(choice.inputs).size).toBe(choice.inputs.length)
          for (const number of choice.inputs) expect(tables.find((table) => table.number === number)).toMatchObject({ busy: false })
          tables = tables.map((table) => (choice.inputs.includes(table.number) ? { ...table, busy: true } : table))
        }
        expect.unreachable("every choice takes tables")
      }),
      { numRuns: 60 },
    )
  })

  test("compaction comes to an end, and a pure choice is the same twice", () => {
    fc.assert(
      fc.property(fc.array(anyTable.map((spec) => ({ ...spec, busy: false })), { maxLength: 20 }), (specs) => {
        settle(tablesFrom(specs), options, (choice) => expect(choice.kind).not.toBe("drop"))
        const tables = tablesFrom(specs)
        expect(chooseCompaction(tables, options, CONTEXT)).toEqual(chooseCompaction(tables.map((table) => ({ ...table })), options, CONTEXT))
      }),
      { numRuns: 30 },
    )
  })

  test("flush after flush, the number of tables over a token and the bytes written stay bounded", () => {
    let tables: CompactionTable[] = []
    let number = 0
    let rewritten = 0
    const flushes = 150
    for (let flush = 0; flush < flushes; flush++) {
      number = 1 + Math.max(number, ...tables.map((table) => table.number))
      tables.push(tableOf(number, { minTimestamp: BigInt(flush), maxTimestamp: BigInt(flush) + 1n }))
      const settled = settle(tables, options)
      tables = settled.tables
      rewritten += settled.rewritten
    }
    const deepest = Math.max(...overlapSets(tables).map((set) => set.length))
    expect(totalBytes(tables)).toBeGreaterThan(flushes * MIB * 0.99)
    expect(deepest, name).toBeLessThanOrEqual(24)
    // Write amplification: about the logarithm of 150 to the fan-out, times the fan-out where levels are rewritten.
    expect(rewritten / (flushes * MIB), name).toBeLessThan(40)
  })

  test("switched off, nothing is chosen", () => {
    fc.assert(fc.property(fc.array(anyTable, { maxLength: 20 }), (specs) => {
      expect(chooseCompaction(tablesFrom(specs), { ...options, enabled: false }, CONTEXT)).toBeNull()
    }), { numRuns: 20 })
  })

  test("a major compaction takes every free table once", () => {
    fc.assert(
      fc.property(fc.array(anyTable, { maxLength: 20 }), (specs) => {
        const tables = tablesFrom(specs)
        const taken = chooseMajor(tables, options).flatMap(({ inputs }) => inputs)
        expect(taken.toSorted((a, b) => a - b)).toEqual(tables.filter(({ busy }) => !busy).map(({ number }) => number))
      }),
      { numRuns: 50 },
    )
  })
})

describe("leveled", () => {
  const options = optionsOf("Leveled", { sstable_size_in_mb: "1", fanout_size: "4" })
  if (options.strategy !== "LeveledCompactionStrategy") throw new Error("leveled")

  test("tables of a level above 0 are disjoint, however many compactions run at once", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(token, token, fc.integer({ min: 1, max: 4 * MIB }), fc.nat(5)), { maxLength: 30 }), (flushes) => {
        let tables: CompactionTable[] = []
        let running: { choice: Choice; inputs: CompactionTable[] }[] = []
        let number = 1
        const end = (at: number): void => {
          const task = running.splice(at % running.length, 1)[0]
          if (task === undefined) return
          const outputs = outputsOf(task.choice, task.inputs, number)
          number += outputs.length
          tables = [...outputs, ...tables.filter((table) => !task.inputs.some((input) => input.number === table.number))]
          for (const level of [1, 2, 3, 4]) {
            const members = tables.filter((table) => table.level === level)
            for (const a of members) for (const b of members) if (a !== b) expect(overlap(a, b), `level ${level}`).toBe(false)
          }
        }
        for (const [a, b, bytes, order] of flushes) {
          tables.push(tableOf(number++, { bytes, firstToken: a < b ? a : b, lastToken: a < b ? b : a }))
          while (running.length < 3) {
            const busy = new Set(running.flatMap(({ choice }) => choice.inputs))
            tables = tables.map((table) => ({ ...table, busy: busy.has(table.number) }))
            const choice = chooseCompaction(tables, options, CONTEXT)
            if (choice === null) break
            running.push({ choice, inputs: tables.filter((table) => choice.inputs.includes(table.number)).map((table) => ({ ...table, busy: false })) })
          }
          if (order < 4 && running.length > 0) end(order)
        }
        while (running.length > 0) end(0)
        running = []
      }),
      { numRuns: 100 },
    )
  })

  test("settled, no level is over its size and level 0 is short", () => {
    fc.assert(
      fc.property(fc.array(anyTable.map((spec) => ({ ...spec, busy: false })), { maxLength: 20 }), (specs) => {
        const levels = levelsOf(settle(tablesFrom(specs), options).tables)
        expect((levels[0] as CompactionTable[]).length).toBeLessThan(4)
        for (const [index, level] of levels.entries()) if (index > 0) expect(totalBytes(level)).toBeLessThanOrEqual(maxLevelBytes(index, options.levels) * 1.001)
      }),
      { numRuns: 30 },
    )
  })

  test("tables that overlap in a level count as of level 0", () => {
    const tables = [1, 2, 3].map((number) => tableOf(number, { level: 2 }))
    expect(levelsOf(tables).map((level) => level.length).slice(0, 3)).toEqual([2, 0, 1])
  })

  test("a level 0 that has fallen behind is merged by size", () => {
    const tables = Array.from({ length: LEVEL_0_LIMIT + 1 }, (_, index) => tableOf(index + 1, { bytes: 2 * MIB }))
    expect(chooseCompaction(tables, options, CONTEXT)).toMatchObject({ reason: "level 0 is behind", level: 0, inputs: { length: 32 } })
  })

  test("a table that overlaps nothing moves without being rewritten, unless single_sstable_uplevel says otherwise", () => {
    const tables = Array.from({ length: 9 }, (_, index) => tableOf(index + 1, { level: 1, firstToken: BigInt(index) * 10n, lastToken: BigInt(index) * 10n + 5n }))
    expect(chooseCompaction(tables, options, CONTEXT)).toMatchObject({ kind: "move", level: 2, inputs: [1] })
    expect(chooseCompaction(tables, { ...options, levels: { ...options.levels, singleUplevel: false } }, CONTEXT)).toMatchObject({ kind: "merge", level: 2, inputs: [1] })
  })
})

describe("time windows", () => {
  const options = optionsOf("TimeWindow", { compaction_window_unit: "HOURS", compaction_window_size: "2", timestamp_resolution: "MILLISECONDS" })
  if (options.strategy !== "TimeWindowCompactionStrategy") throw new Error("time windows")
  const HOUR = 3_600_000n

  test("windows are kept apart, and an old one ends as one table", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.bigInt({ min: -50n, max: 50n }), fc.integer({ min: 1, max: 8 * MIB })), { maxLength: 60 }), (specs) => {
        const tables = specs.map(([hour, bytes], index) => tableOf(index + 1, { bytes, minTimestamp: hour * HOUR - 5n, maxTimestamp: hour * HOUR }))
        const settled = settle(tables, options, (_, inputs) => expect(new Set(inputs.map((input) => windowOf(input, options.windows))).size).toBe(1)).tables
        const windows = settled.map((table) => windowOf(table, options.windows))
        const newest = windows.reduce((a, b) => (a > b ? a : b), -1000n)
        expect(windows.filter((window) => window !== newest).length).toBe(new Set(windows.filter((window) => window !== newest)).size)
      }),
      { numRuns: 200 },
    )
  })

  test("windows below zero are as wide as others", () => {
    const at = (maxTimestamp: bigint): bigint => windowOf(tableOf(1, { maxTimestamp }), options.windows)
    expect([-2n * HOUR - 1n, -2n * HOUR, -1n, 0n, 2n * HOUR - 1n, 2n * HOUR].map(at)).toEqual([-2n, -1n, -1n, 0n, 0n, 1n])
  })
})

describe("unified", () => {
  test("shards double with the data, outputs stay near the target", () => {
    const options = optionsOf("Unified", { target_sstable_size: "1GiB", min_sstable_size: "100MiB", base_shard_count: "4", sstable_growth: "0" })
    if (options.strategy !== "UnifiedCompactionStrategy") throw new Error("unified")
    const shards = (gibibytes: number): number => shardsOf(gibibytes * 2 ** 30, options.unified)
    expect([0.01, 0.2, 0.3, 1, 4, 8, 100, 1000].map(shards)).toEqual([1, 2, 2, 4, 4, 8, 128, 1024])
    for (let gibibytes = 4; gibibytes < 10_000; gibibytes *= 1.3) expect(gibibytes / shards(gibibytes)).toBeGreaterThan(0.7 * 0.99)
    for (let gibibytes = 4; gibibytes < 10_000; gibibytes *= 1.3) expect(gibibytes / shards(gibibytes)).toBeLessThan(1.42)
    expect(shardsOf(1000 * 2 ** 30, { ...options.unified, growth: 1 })).toBe(4)
    expect(shardBoundaries(4)).toEqual([-(2n ** 62n), 0n, 2n ** 62n])
  })

  test("density takes account of the tokens covered, and not of what is too small to tell", () => {
    expect(densityOf([tableOf(1, { bytes: 100, firstToken: 0n, lastToken: 2n ** 62n })])).toBeCloseTo(400)
    expect(densityOf([tableOf(1, { bytes: 100, firstToken: 5n, lastToken: 5n })])).toBe(100)
  })

  test("overlap sets are all maximal sets of tables over one token", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 8 })), { maxLength: 12 }), (spans) => {
        const tables = spans.map(([from, length], index) => tableOf(index + 1, { firstToken: BigInt(from), lastToken: BigInt(from + length) }))
        const sets = overlapSets(tables).map((set) => new Set(set.map(({ number }) => number)))
        for (let at = 0n; at < 30n; at++) {
          const over = tables.filter(({ firstToken, lastToken }) => firstToken <= at && at <= lastToken).map(({ number }) => number)
          if (over.length > 0) expect(sets.some((set) => over.every((number) => set.has(number)))).toBe(true)
        }
        for (const set of sets) for (const other of sets) if (set !== other) expect([...set].every((number) => other.has(number))).toBe(false)
      }),
    )
  })
})

describe("tombstones", () => {
  const options = optionsOf("SizeTiered")
  const dead = { lasting: 0, tombstones: 10, minLocalDeletionTime: 1, maxLocalDeletionTime: 899_999 }

  test("a table of nothing but what is dead is dropped, unless it shadows something", () => {
    const old = tableOf(1, dead)
    expect(chooseCompaction([old, tableOf(2)], options, CONTEXT)).toMatchObject({ kind: "drop", inputs: [1] })
    expect(chooseCompaction([{ ...old, maxLocalDeletionTime: 900_000 }, tableOf(2)], options, { ...CONTEXT, nowSeconds: 1 })).toBeNull()
    expect(chooseCompaction([old, tableOf(2, { minTimestamp: 1999n })], options, { ...CONTEXT, nowSeconds: 1 })).toBeNull()
    expect(chooseCompaction([old, tableOf(2, { minTimestamp: 2000n })], options, CONTEXT)).toMatchObject({ kind: "drop" })
    expect(chooseCompaction([old], options, { ...CONTEXT, memtableMinTimestamp: 1999n, nowSeconds: 1 })).toBeNull()
    expect(chooseCompaction([old], options, { ...CONTEXT, masksBefore: 1, nowSeconds: 1 })).toBeNull()
    expect(chooseCompaction([old, { ...old, number: 2 }], options, CONTEXT)).toMatchObject({ kind: "drop", inputs: [1, 2] })
    const unsafe = optionsOf("TimeWindow", { unsafe_aggressive_sstable_expiration: "true" })
    expect(chooseCompaction([old, tableOf(2, { minTimestamp: 0n })], unsafe, CONTEXT)).toMatchObject({ kind: "drop", inputs: [1] })
    expect(chooseCompaction([old], optionsOf("SizeTiered", { only_purge_repaired_tombstones: "true" }), CONTEXT)).toBeNull()
  })

  test("a table with many droppable tombstones is rewritten alone, once it is old enough", () => {
    const half = tableOf(1, { tombstones: 500, lasting: 500, minLocalDeletionTime: 1, maxLocalDeletionTime: 800_000, level: 3 })
    const choose = (table: CompactionTable, texts: Record<string, string> = {}, others: CompactionTable[] = []): Choice | null =>
      chooseCompaction([table, ...others], optionsOf("SizeTiered", texts), CONTEXT)
    expect(choose(half)).toMatchObject({ kind: "merge", reason: "tombstones", inputs: [1], level: 3 })
    expect(choose(half, { tombstone_threshold: "0.6" })).toBeNull()
    expect(choose({ ...half, createdAt: CONTEXT.nowSeconds - 86_400 })).toBeNull()
    expect(choose({ ...half, createdAt: CONTEXT.nowSeconds - 10 }, { tombstone_compaction_interval: "9" })).not.toBeNull()
    expect(choose(half, {}, [tableOf(2, { minTimestamp: 0n })])).toBeNull()
    expect(choose(half, { unchecked_tombstone_compaction: "true" }, [tableOf(2, { minTimestamp: 0n })])).toMatchObject({ inputs: [1] })
  })

  test("the droppable share is estimated from when things died", () => {
    const table = tableOf(1, { tombstones: 50, lasting: 50, minLocalDeletionTime: 0, maxLocalDeletionTime: 99 })
    expect([0, 25, 50, 100, 1000].map((second) => droppableRatio(table, second))).toEqual([0, 0.125, 0.25, 0.5, 0.5])
    expect(droppableRatio(tableOf(1), 1000)).toBe(0)
  })

  test("a view's table is rewritten once when all of it is so old that masks can go", () => {
    const context = { ...CONTEXT, masksBefore: 900_000 }
    expect(chooseCompaction([tableOf(1, { arrivedBy: 899_999 })], options, context)).toMatchObject({ reason: "tombstones" })
    expect(chooseCompaction([tableOf(1, { arrivedBy: 900_000 })], options, context)).toBeNull()
    expect(chooseCompaction([tableOf(1, { arrivedBy: 700_000, createdAt: 800_001 })], options, context)).toBeNull()
  })
})
