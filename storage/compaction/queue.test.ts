// A view whose rows move all the time leaves a mask at every key that they had. Readers get the live rows whatever the
// number of masks; and once gc_grace_seconds and the age of messages are over, compaction leaves the live rows alone.
import { expect, test } from "vitest"
import { MutationWriter } from "../../data/mutation.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import { CELL_KIND, type Row } from "../../data/row.ts"
import { encodeClustering } from "../../data/row-format.ts"
import { BASE, BASE_ID, makeView } from "../../data/testdata/view-tables.ts"
import { FULL_RANGE, tokenOf } from "../../data/token.ts"
import { projectEntry } from "../../data/view-entry.ts"
import type { RowSink } from "../../data/local-store.ts"
import { NO_LIMIT } from "../../data/read-command.ts"
import { StoreRig, strategyOf } from "./testing-store.ts"

const ROWS = 60
const MOVES = 50
const GRACE = 300
const plain = makeView({ keys: ["a"], select: ["b"] })
const view = resolveTable({ ...plain.descriptor, options: { ...plain.descriptor.options, gcGraceSeconds: GRACE, compaction: strategyOf("SizeTiered", { min_threshold: "4", tombstone_compaction_interval: "1" }) } })

class Counter implements RowSink {
  rows = 0
  live = 0
  partition(): void {}
  rangeTombstone(): void {}
  row(_bytes: Uint8Array, _from: number, _to: number, live: boolean): boolean {
    this.rows++
    if (live) this.live++
    return true
  }
  partitionEnd(): void {}
}

function scan(rig: StoreRig, limit: number): Counter {
  const counter = new Counter()
  void rig.store.read(
    { table: view, nowSeconds: rig.nowSeconds, slices: null, reversed: false, limit, perPartitionLimit: NO_LIMIT, after: null, target: { kind: "range", range: FULL_RANGE } }, counter,
  )
  return counter
}

/** What the base row, as it is after the move, says to a key that it has or had. */
function entry(number: number, move: number, keyMove: number): Buffer {
  const p = Buffer.from(`row ${number}`)
  const q = Buffer.from("q")
  const stamp = { timestampHigh: 0, timestampLow: move + 1, ttlSeconds: 0, expiresAt: 0 }
  const cell = (column: number, value: string): Row["cells"][number] => ({ column, path: null, kind: CELL_KIND.plain, ...stamp, value: Buffer.from(value) })
  const row: Row = {
    isStatic: false, clustering: encodeClustering([q]), marker: stamp, deletion: null, complexDeletions: [], cells: [cell(BASE_ID.a, `place ${number} ${move}`), cell(BASE_ID.b, "text")],
  }
  const key = Buffer.from(`place ${number} ${keyMove}`)
  const writer = new MutationWriter()
  writer.begin(key, 0, key.length)
  writer.beginUpdate(view.id)
  writer.row(projectEntry(BASE, view, { row, key: p, token: tokenOf(p) }, [key, p, q]))
  writer.endUpdate()
  return Buffer.from(writer.end())
}

test("masks do not count for limits, and go when nobody needs them", async () => {
  const rig = await new StoreRig([view]).open()
  for (let move = 0; move < MOVES; move++) {
    for (let number = 0; number < ROWS; number++) {
      if (move > 0) void rig.store.apply(entry(number, move, move - 1), "view", null)
      void rig.store.apply(entry(number, move, move), "view", null)
    }
    if (move % 10 === 9) await rig.flush()
  }
  await rig.quiet()
  expect(scan(rig, NO_LIMIT)).toMatchObject({ rows: ROWS * MOVES, live: ROWS })
  // A page ends with its last live row, wherever that is among the masks.
  const page = scan(rig, 20)
  expect(page.live).toBe(20)
  expect(page.rows).toBeLessThan(ROWS * MOVES)
  await rig.settle(rig.store.compact(view.id))
  expect(scan(rig, NO_LIMIT)).toMatchObject({ rows: ROWS * MOVES, live: ROWS })
  // By itself: the table is rewritten once when all of it is old enough.
  await rig.pass(GRACE + 130)
  expect(scan(rig, NO_LIMIT)).toMatchObject({ rows: ROWS, live: ROWS })
  expect(rig.failures).toEqual([])
})
