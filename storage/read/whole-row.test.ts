// A read of one row may stop early: it gives what a read of the whole partition says of that row, and leaves SSTables alone.
import fc from "fast-check"
import { expect, test, vi } from "vitest"
import type { ClusteringSlice } from "../../data/read-command.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import { createSimulation } from "../../runtime/simulated/simulation.ts"
import { run as compact } from "../jobs/compact.ts"
import { run as flush } from "../jobs/flush.ts"
import { openStore } from "../open-store.ts"
import type { Store } from "../store.ts"
import { TableStore } from "../table-store.ts"
import { COLUMN, type RowSpec, TextSink, commandOf, mutationOf, slice, testTable } from "../testing.ts"

const { descriptor } = testTable()
const TABLE = resolveTable({ ...descriptor, columns: descriptor.columns.filter(({ id }) => id !== COLUMN.fixed && id !== COLUMN.c) }, [])

async function withStore(run: (store: Store, settle: <T>(value: T | Promise<T>) => Promise<T>) => Promise<void>): Promise<void> {
  const simulation = createSimulation(1, { bodies: { flush, compact } })
  const settle = async <T>(value: T | Promise<T>): Promise<T> => {
    let done = false
    const settled = Promise.resolve(value).finally(() => {
      done = true
    })
    await simulation.run(() => done)
    return settled
  }
  const { disk, clock, jobs } = simulation.start(1)
  const events = { obligation: () => undefined, failed: (error: Error) => { throw error } }
  const store = await settle(openStore({ disk, clock, jobs, directory: "data", hostId: "h", clusterName: "c", options: { tables: [TABLE] }, events }))
  await run(store, settle)
  await settle(store.close())
}

function lines(store: Store, slices: readonly ClusteringSlice[] | null): string[] {
  const sink = new TextSink()
  void store.read(commandOf({ table: TABLE, key: "k", slices }), sink)
  return sink.lines.filter((line) => line.startsWith("  ") && line !== "  .")
}

const CLUSTERINGS = 2
const text = fc.constantFrom("x", "y")
const cells: fc.Arbitrary<RowSpec["cells"]> = fc.oneof(
  { weight: 30, arbitrary: fc.tuple(text, text).map(([a, b]) => [{ column: COLUMN.a, value: a }, { column: COLUMN.b, value: b }]) },
  { weight: 1, arbitrary: text.map((a) => [{ column: COLUMN.a, value: a }]) },
  { weight: 1, arbitrary: fc.constant([{ column: COLUMN.a }]) },
)
const row: fc.Arbitrary<RowSpec> = fc
  .record({ clustering: fc.integer({ min: 0, max: CLUSTERINGS - 1 }), timestamp: fc.integer({ min: 1, max: 6 }), marker: fc.boolean(), cells, deletion: fc.oneof({ weight: 20, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 6 }) }) })
  .map((drawn) => ({ ...drawn, marker: drawn.marker || drawn.timestamp > 5 }) as RowSpec)
const step = fc.oneof({ weight: 2, arbitrary: row }, { weight: 1, arbitrary: fc.constant("flush" as const) })

test("one row is what the partition says it is", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 24 }), (steps) =>
      withStore(async (store, settle) => {
        for (const each of steps) {
          if (each === "flush") await settle(store.flush())
          else store.apply(mutationOf({ key: "k", table: TABLE, rows: [each] }), "client", null)
          const all = lines(store, null)
          for (let clustering = 0; clustering < CLUSTERINGS; clustering++) {
            expect(lines(store, [slice(clustering, clustering)])).toEqual(all.filter((line) => line.startsWith(`  ${clustering} `)))
          }
        }
      }),
    ),
    { numRuns: 80 },
  )
})

test("SSTables that cannot matter are not opened", () =>
  withStore(async (store, settle) => {
    const whole = (timestamp: number): RowSpec => ({ clustering: 1, timestamp, marker: true, cells: [{ column: COLUMN.a, value: "x" }, { column: COLUMN.b, value: "y" }] })
    for (let timestamp = 1; timestamp <= 3; timestamp++) {
      store.apply(mutationOf({ key: "k", table: TABLE, rows: [whole(timestamp)] }), "client", null)
      await settle(store.flush())
    }
    const opened = vi.spyOn(TableStore.prototype, "openSSTable")
    expect(lines(store, [slice(1, 1)])).toHaveLength(1)
    expect(opened).toHaveBeenCalledTimes(1)
    expect(lines(store, null)).toHaveLength(1)
    expect(opened).toHaveBeenCalledTimes(4)
    opened.mockRestore()
  }))
