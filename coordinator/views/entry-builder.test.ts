// Entries built the short way and the long way: they must be the same bytes.
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ByteWriter } from "../../data/bytes.ts"
import { CELL_KIND, type Row } from "../../data/row.ts"
import { encodeClustering } from "../../data/row-format.ts"
import { BASE_ID } from "../../data/testdata/view-tables.ts"
import { tokenOf } from "../../data/token.ts"
import { Buffer, isPromise } from "../../runtime/pure.ts"
import { EntryBuilder } from "./entry-builder.ts"
import { encodeObligation } from "./obligation.ts"
import { FakeStore, TestMetadata, VIEW_ID, baseRow, deletionAt } from "./testing.ts"

const Q = "q"

function obligationFor(viewKey: readonly string[]): Buffer {
  const values = viewKey.map((value) => Buffer.from(value))
  const out = new ByteWriter()
  encodeObligation({ selfWritten: true, base: 1000, incarnation: 1, counter: 1, token: tokenOf(values[0]!), key: Buffer.from("p"), clustering: encodeClustering([Buffer.from(Q)]), view: VIEW_ID, viewKey: values }, out)
  return out.take()
}

class LongWayStore extends FakeStore {
  override readDirect(): boolean {
    return false
  }
}

function built(store: FakeStore, metadata: TestMetadata, obligation: Buffer, builder = new EntryBuilder(() => store)): Buffer | null {
  const entry = builder.build(obligation, metadata.base, metadata.view)
  if (isPromise(entry)) throw new Error("nothing waits")
  return entry === null ? null : Buffer.from(entry)
}

const row: fc.Arbitrary<Row> = fc
  .record({
    deletion: fc.constantFrom(null, null, null, 2), marker: fc.constantFrom(null, 3, 4),
    cells: fc.tuple(...["a", "b", "c", "u"].map(() => fc.option(fc.record({ timestamp: fc.integer({ min: 3, max: 4 }), kind: fc.constantFrom(0, 0, 1, 2), value: fc.constantFrom("x", "y", "") })))),
  })
  .map(({ deletion, marker, cells }) => ({
    ...baseRow(Q, 1, {}, deletion === null ? null : deletionAt(deletion)),
    marker: marker === null ? null : { timestampHigh: 0, timestampLow: marker, ttlSeconds: 0, expiresAt: 0 },
    cells: cells.flatMap((cell, index) =>
      cell === null
        ? []
        : [{
            column: [BASE_ID.a, BASE_ID.b, BASE_ID.c, BASE_ID.u][index]!, path: null, kind: cell.kind as Row["cells"][number]["kind"], timestampHigh: 0, timestampLow: cell.timestamp,
            ttlSeconds: cell.kind === CELL_KIND.expiring ? 9 : 0, expiresAt: cell.kind === CELL_KIND.plain ? 0 : 50, value: cell.kind === CELL_KIND.tombstone ? null : Buffer.from(cell.value),
          }],
    ),
  }))
  .filter(({ cells, marker, deletion }) => cells.length > 0 || marker !== null || deletion !== null)

describe("an entry", () => {
  test.each([{ keys: ["a"] as const, select: ["b", "c"] as const }, { keys: [] as const, select: ["b"] as const }])("is the same whichever way its row is read: %o", (definition) => {
    const metadata = new TestMetadata(definition)
    const reused = new Map<FakeStore, EntryBuilder>()
    const [short, long] = [new FakeStore(), new LongWayStore()]
    for (const store of [short, long]) reused.set(store, new EntryBuilder(() => store))
    fc.assert(
      fc.property(row, fc.constantFrom("x", "y", ""), (each, a) => {
        const obligation = obligationFor(definition.keys.length > 0 ? [a, "p", Q] : [Q, "p"])
        for (const store of [short, long]) {
          store.put("p", each)
          reused.get(store)!.newRound()
        }
        const entries = [short, long].map((store) => built(store, metadata, obligation, reused.get(store)))
        expect(entries[0]).toEqual(entries[1])
        expect(entries[0]).not.toBeNull()
      }),
      { numRuns: 500 },
    )
  })

  test("is made of a row that is read once for all its keys in a round, and again in the next", () => {
    const metadata = new TestMetadata()
    const store = new FakeStore()
    store.put("p", baseRow(Q, 5, { a: "x", b: "1" }))
    const builder = new EntryBuilder(() => store)
    builder.newRound()
    const first = built(store, metadata, obligationFor(["x", "p", Q]), builder)
    store.put("p", baseRow(Q, 6, { a: "y", b: "2" }))
    built(store, metadata, obligationFor(["y", "p", Q]), builder)
    expect(store.reads).toBe(1)
    builder.newRound()
    expect(built(store, metadata, obligationFor(["x", "p", Q]), builder)).not.toEqual(first)
    expect(store.reads).toBe(2)
  })

  test("of a row that covers nothing but a deletion is a mask, of a row nobody knows there is none", () => {
    const metadata = new TestMetadata()
    const store = new FakeStore()
    expect(built(store, metadata, obligationFor(["x", "p", Q]))).toBeNull()
    store.partition("p").deletion = deletionAt(9)
    expect(built(store, metadata, obligationFor(["x", "p", Q]))).not.toBeNull()
  })

  test("has bytes of its own when its row comes from the disk", async () => {
    const metadata = new TestMetadata()
    const store = new FakeStore()
    store.reading = Promise.resolve()
    store.put("p", baseRow(Q, 5, { a: "x", b: "1" }))
    const builder = new EntryBuilder(() => store)
    const [x, y] = await Promise.all([builder.build(obligationFor(["x", "p", Q]), metadata.base, metadata.view), builder.build(obligationFor(["y", "p", Q]), metadata.base, metadata.view)])
    store.reading = null
    expect(x).toEqual(built(store, metadata, obligationFor(["x", "p", Q])))
    expect(y).toEqual(built(store, metadata, obligationFor(["y", "p", Q])))
  })
})
