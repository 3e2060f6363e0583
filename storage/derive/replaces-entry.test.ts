// What a memtable may overwrite without a merge: entries of views, held to mergeEntries.
import fc from "fast-check"
import { expect, test } from "vitest"
import { Buffer } from "../../runtime/pure.ts"
import { ByteReader } from "../../data/bytes.ts"
import { mergeRows } from "../../data/reconcile.ts"
import { CELL_KIND, type Row } from "../../data/row.ts"
import { decodeRow, encodeClustering, rowBytes } from "../../data/row-format.ts"
import { BASE, BASE_ID, type ViewDefinition, makeView } from "../../data/testdata/view-tables.ts"
import { tokenOf } from "../../data/token.ts"
import { mergeEntries, projectEntry } from "../../data/view-entry.ts"
import { replacesEntry } from "../read/row-merge.ts"

const P = Buffer.from("p")
const Q = Buffer.from("q")
const DEFINITIONS: readonly ViewDefinition[] = [
  { keys: ["a"], select: ["b", "c"] },
  { keys: ["a", "b"], select: ["c"] },
  { keys: ["a"], select: ["b"], filters: [{ column: "f", operator: "=", value: "x" }] },
  { keys: [], select: ["b"] },
]

const write = fc.record({ timestamp: fc.integer({ min: 1, max: 3 }), marker: fc.boolean(), deletion: fc.constantFrom(null, null, null, null, null, 1, 2, 3), values: fc.tuple(...["a", "b", "c", "f"].map(() => fc.option(fc.constantFrom("x", "y"), { freq: 5 }))) }).map(
  ({ timestamp, marker, deletion, values }): Row => ({
    isStatic: false, clustering: encodeClustering([Q]), complexDeletions: [],
    marker: marker ? { timestampHigh: 0, timestampLow: timestamp, ttlSeconds: 0, expiresAt: 0 } : null,
    deletion: deletion === null ? null : { timestampHigh: 0, timestampLow: deletion, localDeletionTime: 1 },
    cells: values.flatMap((value, index) => {
      const column = [BASE_ID.a, BASE_ID.b, BASE_ID.c, BASE_ID.f][index]!
      return value === null ? [] : [{ column, path: null, kind: CELL_KIND.plain, timestampHigh: 0, timestampLow: timestamp, ttlSeconds: 0, expiresAt: 0, value: Buffer.from(value) }]
    }),
  }),
)

test.each(DEFINITIONS)("an entry that replaces another is what the two merge to: %o", (definition) => {
  const view = makeView(definition)
  const viewKey = [...definition.keys.map(() => Buffer.from("x")), ...(definition.keys.length > 0 ? [P, Q] : [Q, P])]
  let replaced = 0
  const entry = (writes: readonly Row[]): Row | null => {
    const row = mergeRows(writes, null)
    return row === null ? null : projectEntry(BASE, view, { row, key: P, token: tokenOf(P) }, viewKey)
  }
  fc.assert(
    fc.property(fc.array(write, { minLength: 1, maxLength: 2 }), fc.array(write, { minLength: 1, maxLength: 2 }), (first, second) => {
      const older = entry(first)
      const newer = entry(second)
      if (older === null || newer === null) return
      const olderBytes = rowBytes(older)
      const newerBytes = rowBytes(newer)
      if (!replacesEntry(view, newerBytes, 0, olderBytes, 0)) return
      replaced++
      const rows = [newerBytes, olderBytes].map((bytes) => decodeRow(new ByteReader(bytes)))
      expect(rowBytes(mergeEntries(view, rows))).toEqual(newerBytes)
    }),
    { numRuns: 3000 },
  )
  expect(replaced).toBeGreaterThan(10)
})
