// What a write leaves in its own log record: entries for the keys this node owns, obligations for the other owners'.
import { describe, expect, test } from "vitest"
import { ByteReader } from "../../data/bytes.ts"
import { mutationKey, visitMutation } from "../../data/mutation.ts"
import { mergeRows } from "../../data/reconcile.ts"
import type { Row } from "../../data/row.ts"
import { decodeClustering, decodeRow } from "../../data/row-format.ts"
import type { ViewDefinition } from "../../data/testdata/view-tables.ts"
import { isWitnessed } from "../../data/view-entry.ts"
import { Buffer } from "../../runtime/pure.ts"
import { ObligationCounter, createDerive } from "./derive.ts"
import { type ObligationRecord, decodeObligation } from "./obligation.ts"
import { TestMetadata, VIEW_ID, baseRow, rowView } from "./testing.ts"

interface Derived {
  /** "view key: witnessed or mask". */
  readonly entries: string[]
  readonly obligations: ObligationRecord[]
}

function derive(self: number, metadata: TestMetadata, existing: Row | null, incoming: Row, counter = new ObligationCounter(9)): Derived {
  const derived: Derived = { entries: [], obligations: [] }
  const merged = mergeRows(existing === null ? [incoming] : [existing, incoming], null)!
  createDerive(self, () => metadata.snapshot, counter)(metadata.base, existing === null ? null : rowView("p", existing), rowView("p", incoming), rowView("p", merged), {
    obligation: (bytes) => derived.obligations.push(decodeObligation(Buffer.from(bytes))),
    entry(mutation) {
      const bytes = Buffer.from(mutation)
      visitMutation(new ByteReader(bytes), {
        update: (table) => expect(table).toBe(VIEW_ID),
        item(item, from, to) {
          const row = decodeRow(new ByteReader(item, from, to))
          const key = [mutationKey(bytes), ...decodeClustering(row.clustering)].map(String).join("/")
          derived.entries.push(`${key}: ${isWitnessed(metadata.view, row) ? "witnessed" : "mask"}`)
        },
      })
    },
  })
  return derived
}

const keys = (derived: Derived): string[] => derived.obligations.map(({ viewKey }) => viewKey.map(String).join("/"))

describe("a key this node owns", () => {
  test("gets its entry in the record; the others are owed it", () => {
    const { entries, obligations } = derive(1, new TestMetadata(), null, baseRow("q", 5, { a: "x", b: "1" }))
    expect(entries).toEqual(["x/p/q: witnessed"])
    expect(obligations).toMatchObject([{ selfWritten: true, view: VIEW_ID, base: 1000, incarnation: 9, counter: 1, key: Buffer.from("p") }])
    expect(obligations[0]?.viewKey.map(String)).toEqual(["x", "p", "q"])
  })

  test("alone owes nobody anything", () => {
    const metadata = new TestMetadata({ keys: ["a"], select: ["b"] }, 1)
    const owner = [1, 2, 3].find((node) => derive(node, metadata, null, baseRow("q", 5, { a: "x" })).entries.length > 0)
    expect(owner).toBeDefined()
    expect(derive(owner!, metadata, null, baseRow("q", 5, { a: "x" })).obligations).toEqual([])
    const other = [1, 2, 3].find((node) => node !== owner)!
    expect(derive(other, metadata, null, baseRow("q", 5, { a: "x" }))).toMatchObject({ entries: [], obligations: [{ selfWritten: false }] })
  })
})

test("every obligation has a number of its own", () => {
  const counter = new ObligationCounter(9)
  const metadata = new TestMetadata()
  const first = derive(1, metadata, null, baseRow("q", 5, { a: "x" }), counter)
  const second = derive(1, metadata, baseRow("q", 5, { a: "x" }), baseRow("q", 6, { a: "y" }), counter)
  expect([...first.obligations, ...second.obligations].map((each) => each.counter)).toEqual([1, 2, 3])
})

test("R1: a key change tells the old key and the new one, a mask and a row", () => {
  const derived = derive(1, new TestMetadata(), baseRow("q", 5, { a: "x", b: "1" }), baseRow("q", 6, { a: "y" }))
  expect(derived.entries.toSorted()).toEqual(["x/p/q: mask", "y/p/q: witnessed"])
  expect(keys(derived).toSorted()).toEqual(["x/p/q", "y/p/q"])
})

test("rule L: a write that loses tells its own key that it lost", () => {
  const derived = derive(1, new TestMetadata(), baseRow("q", 6, { a: "y" }), baseRow("q", 5, { a: "x" }))
  expect(derived.entries.toSorted()).toEqual(["x/p/q: mask", "y/p/q: witnessed"])
})

test("R3: a write that changes nothing is told all the same", () => {
  const row = baseRow("q", 5, { a: "x" })
  expect(keys(derive(1, new TestMetadata(), row, row))).toEqual(["x/p/q"])
})

test("a row without key tells nobody, one outside the filter neither", () => {
  const definition: ViewDefinition = { keys: ["a"], select: ["b"], filters: [{ column: "f", operator: "=", value: "on" }] }
  expect(derive(1, new TestMetadata(), null, baseRow("q", 5, { b: "1" }))).toEqual({ entries: [], obligations: [] })
  expect(derive(1, new TestMetadata(definition), null, baseRow("q", 5, { a: "x", f: "off" }))).toEqual({ entries: [], obligations: [] })
  expect(derive(1, new TestMetadata(definition), baseRow("q", 5, { a: "x", f: "on" }), baseRow("q", 6, { f: "off" })).entries).toEqual(["x/p/q: mask"])
})
