// A crash at every disk operation of a compaction: afterwards the old SSTables are live or the new ones, never both or
// neither; no file is left that nobody knows; readers see the same; and the next compaction goes through.
import { describe, expect, test } from "vitest"
import { Manifest } from "../manifest.ts"
import { COLUMN } from "../testing.ts"
import { StoreRig, itemMutation, strategyOf, tableWith } from "./testing-store.ts"

/** What each compaction does besides merging: cut its output, purge, drop whole tables, move one to another level. */
const SCENES: Readonly<Record<string, { readonly compaction: Readonly<Record<string, string>>; readonly isMajor: boolean }>> = {
  "several outputs": { compaction: strategyOf("Unified", { base_shard_count: "4", target_sstable_size: "1B", min_sstable_size: "0B", sstable_growth: "0", scaling_parameters: "T9" }), isMajor: true },
  "purging all but a little": { compaction: strategyOf("SizeTiered", { min_threshold: "9" }), isMajor: true },
  "by itself": { compaction: strategyOf("SizeTiered", { min_threshold: "2" }), isMajor: false },
  "expired tables": { compaction: strategyOf("TimeWindow", { compaction_window_unit: "MINUTES", timestamp_resolution: "SECONDS" }), isMajor: false },
}

const GRACE = 10
/** A sample in every run; each operation in the long one. */
const STRIDE = process.env["CRASH_SEEDS"] === undefined ? 6 : 1

async function prepared(scene: string, seed: number): Promise<StoreRig> {
  const off = tableWith({ gcGraceSeconds: GRACE, compaction: strategyOf("SizeTiered", { enabled: "false" }) })
  const rig = await new StoreRig([off], { seed }).open()
  const second = rig.nowSeconds
  for (let flush = 0; flush < 3; flush++) {
    for (let key = 0; key < 6; key++) {
      const timestamp = flush * 100 + key + 1
      if (scene === "expired tables" && flush < 2) rig.write(itemMutation(`k${key}`, timestamp, { kind: "expiring", clustering: 1, column: COLUMN.a, value: "x", second }))
      else rig.write(itemMutation(`k${key}`, timestamp, key === 5 || (scene === "purging all but a little" && key > 0) ? { kind: "row", clustering: 1, column: COLUMN.a, second } : { kind: "value", clustering: 1, column: COLUMN.a, value: `${flush}` }))
    }
    await rig.flush()
  }
  await rig.pass(2 * GRACE)
  await rig.settle(rig.store.close())
  rig.tables = [tableWith({ gcGraceSeconds: GRACE, compaction: (SCENES[scene] as { compaction: Record<string, string> }).compaction })]
  return rig
}

/** Runs until the compaction is done, or the process dead. */
async function compactOnce(rig: StoreRig, isMajor: boolean): Promise<void> {
  await rig.open()
  if (isMajor) await rig.settle(rig.store.compact(1000))
  else await rig.quiet()
}

function liveNumbers(rig: StoreRig): number[] {
  const table = Manifest.open(rig.process.disk, "data/manifest").state.tables.find(({ id }) => id === 1000)
  return (table?.sstables ?? []).map(({ number }) => number).toSorted((a, b) => a - b)
}
function files(rig: StoreRig): string[] {
  return rig.process.disk.list("data/tables/1000")
}

describe.each(Object.keys(SCENES))("%s", (scene) => {
  const { isMajor } = SCENES[scene] as { isMajor: boolean }

  test.each(["kill", "powerLoss"] as const)("%s", async (kind) => {
    const whole = await prepared(scene, 1)
    const before = liveNumbers(whole)
    const start = whole.simulation.disk(1).operationCount
    await compactOnce(whole, isMajor)
    const operations = whole.simulation.disk(1).operationCount - start
    const after = liveNumbers(whole)
    const shown = whole.visible(whole.nowSeconds)
    expect(after).not.toEqual(before)
    expect(operations).toBeGreaterThan(10)
    const found = { old: 0, new: 0 }
    const strided = Array.from({ length: operations }, (_, index) => index + 1).filter((operation) => operation % STRIDE === (1 + scene.length) % STRIDE)
    // What is new is safe only with the last ones.
    for (const operation of new Set([...strided, operations])) {
      const rig = await prepared(scene, 1)
      rig.simulation.disk(1).crashAt(start + operation)
      await compactOnce(rig, isMajor).catch((error: unknown) => {
        if (rig.simulation.isRunning(1)) throw error
      })
      if (kind === "kill") rig.simulation.kill(1)
      else rig.simulation.powerLoss(1)
      rig.process = rig.simulation.start(1)
      // The dead process may have complained.
      rig.failures.length = 0
      const where = `${kind} at operation ${operation} of ${operations}`
      const live = liveNumbers(rig)
      const isNew = JSON.stringify(live) === JSON.stringify(after)
      if (!isNew) expect(live, where).toEqual(before)
      found[isNew ? "new" : "old"]++
      rig.tables = [tableWith({ gcGraceSeconds: GRACE, compaction: strategyOf("SizeTiered", { enabled: "false" }) })]
      await rig.open()
      expect(files(rig), where).toEqual(live.map((number) => `${String(number).padStart(8, "0")}.sst`))
      expect(rig.visible(rig.nowSeconds), where).toEqual(shown)
      await rig.settle(rig.store.compact(1000))
      expect(rig.visible(rig.nowSeconds), where).toEqual(shown)
      expect(rig.failures, where).toEqual([])
      await rig.settle(rig.store.close())
    }
    expect(Math.min(found.old, found.new)).toBeGreaterThan(0)
  })
})
