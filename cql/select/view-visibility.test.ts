// Law: the fast answer for simple rows is entryVisible's, for every view and every entry.
import fc from "fast-check"
import { expect, test } from "vitest"
import { tokenOf } from "../../data/token.ts"
import { CELL_KIND, type Cell, type Row } from "../../data/row.ts"
import { FLAG, encodeClustering, itemFlags, rowBytes } from "../../data/row-format.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { encodeValue } from "../../data/types/type-operations.ts"
import { entryVisible, projectEntry } from "../../data/view-entry.ts"
import { serializePartitionKey } from "../../data/partition-key.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { NOW_SECONDS, SelectSandbox } from "./select-sandbox.ts"
import { ViewVisibility } from "../../data/view-visibility.ts"

const box = new SelectSandbox()
box.run("CREATE TABLE base (k int, c int, v int, w int, PRIMARY KEY (k, c))")
const NOT_NULL = "WHERE k IS NOT NULL AND c IS NOT NULL"
for (const [name, where, key] of [
  ["v_first", `${NOT_NULL} AND v IS NOT NULL`, "v, k, c"],
  ["v_clustering", `${NOT_NULL} AND v IS NOT NULL`, "k, v, c"],
  ["v_composite", `${NOT_NULL} AND v IS NOT NULL`, "(v, c), k"],
  ["no_new_key", NOT_NULL, "c, k"],
] as const) {
  box.run(`CREATE MATERIALIZED VIEW ${name} AS SELECT k, c, v, w FROM base ${where} PRIMARY KEY (${key})`)
}
const int = (value: number): Buffer => encodeValue(nativeType("int"), value)

test.each(["v_first", "v_clustering", "v_composite", "no_new_key"])("%s", (name) => {
  const base = box.tableSchema("base")
  const view = box.tableSchema(name)
  const visibility = new ViewVisibility(view)
  const cell = fc.option(fc.record({ value: fc.integer({ min: 0, max: 2 }), timestamp: fc.integer({ min: 1, max: 2 }), ttl: fc.constantFrom(0, 0, 5, -5) }))
  let simple = 0
  fc.assert(
    fc.property(fc.record({ v: cell, w: cell, marker: fc.boolean(), witnessed: fc.boolean(), keyV: fc.integer({ min: 0, max: 2 }) }), ({ v, w, marker, witnessed, keyV }) => {
      const cellOf = (column: string, given: typeof v): Cell[] =>
        given === null
          ? []
          : [{
              column: base.columnByName.get(column)?.id as number, path: null, timestampHigh: 0, timestampLow: given.timestamp, ttlSeconds: Math.abs(given.ttl),
              kind: given.ttl === 0 ? CELL_KIND.plain : CELL_KIND.expiring, expiresAt: given.ttl === 0 ? 0 : NOW_SECONDS + given.ttl, value: int(given.value),
            }]
      const row: Row = {
        isStatic: false, clustering: encodeClustering([int(2)]), deletion: null, complexDeletions: [],
        marker: marker ? { timestampHigh: 0, timestampLow: 1, ttlSeconds: 0, expiresAt: 0 } : null, cells: [...cellOf("v", v), ...cellOf("w", w)],
      }
      const columnValue = { k: int(1), c: int(2), v: int(keyV) } as Readonly<Record<string, Buffer>>
      const key = [...view.partitionKey, ...view.clustering].map((column) => columnValue[column.name] as Buffer)
      const whole = projectEntry(base, view, { row, key: int(1), token: tokenOf(int(1)) }, key)
      // Merges lose the witness while the context is another's.
      const entry = witnessed ? whole : { ...whole, cells: whole.cells.filter((each) => each.column !== view.view?.witness) }
      const split = view.partitionKey.length
      const bytes = rowBytes({ ...entry, clustering: encodeClustering(key.slice(split)) })
      if ((itemFlags(bytes, 0) & FLAG.simple) !== 0) simple++
      expect(visibility.isVisible(serializePartitionKey(key.slice(0, split)), bytes, 0, NOW_SECONDS)).toBe(entryVisible(view, entry, key, NOW_SECONDS))
    }),
    { numRuns: 300 },
  )
  expect(simple).toBeGreaterThan(20)
})
