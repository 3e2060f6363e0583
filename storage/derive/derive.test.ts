// Writes to tables with views: what a Derive is called with, and what becomes of what it answers.
import { expect, test } from "vitest"
import { type Simulation, createSimulation } from "../../runtime/simulated/simulation.ts"
import { isPromise } from "../../runtime/pure.ts"
import type { Derive, LogPosition, RowView, StoreEvents } from "../../data/local-store.ts"
import type { RangeTombstone } from "../../data/row.ts"
import { run as compact } from "../jobs/compact.ts"
import { run as flush } from "../jobs/flush.ts"
import { openStore } from "../open-store.ts"
import type { Store } from "../store.ts"
import { COLUMN, TextSink, clusteringOf, commandOf, deletionAt, mutationOf, rowText, simplePut, testTable } from "../testing.ts"

const SIDE = testTable({ id: 1001 })
// Storage asks only whether there are views; what they are is the Derive's business.
const BASE = testTable({ id: 1000, views: [SIDE] })

interface Obligation {
  readonly text: string
  readonly position: LogPosition
  readonly replayed: boolean
}

class Machine {
  readonly simulation: Simulation = createSimulation(1, { bodies: { flush, compact } })
  readonly obligations: Obligation[] = []

  async settle<T>(promise: T | Promise<T>): Promise<T> {
    let done = false
    const settled = Promise.resolve(promise).finally(() => {
      done = true
    })
    settled.catch(() => undefined)
    await this.simulation.run(() => done)
    return settled
  }
  open(blockCacheBytes = 1 << 20): Promise<Store> {
    const { disk, clock, jobs } = this.simulation.start(1)
    const events: StoreEvents = { obligation: (bytes, position, replayed) => this.obligations.push({ text: Buffer.from(bytes).toString(), position, replayed }) }
    const options = { tables: [BASE, SIDE], alwaysWaitForDisk: true, blockCacheBytes }
    return this.settle(openStore({ disk, clock, jobs, directory: "data", hostId: "h", clusterName: "c", options, events }))
  }
}

function viewText(view: RowView | null): string {
  return view === null ? "nothing" : rowText(view.row)
}

/** Writes down every call. */
function recorder(lines: string[]): Derive {
  return (table, existing, incoming, merged) => {
    expect(table).toBe(BASE)
    expect(Buffer.from(incoming.key).toString()).toBe("k")
    lines.push(`${viewText(existing)} + ${viewText(incoming)} = ${viewText(merged)}`)
  }
}

test("a Derive sees what was there, what comes, and what both make, in memory and on the disk", async () => {
  const machine = new Machine()
  const store = await machine.open(1)
  const lines: string[] = []
  const derive = recorder(lines)
  const put = (clustering: number, timestamp: number, column: number, value: string): Buffer =>
    mutationOf({ key: "k", rows: [{ clustering, timestamp, cells: [{ column, value }] }] })
  const first = store.apply(put(1, 1, COLUMN.a, "x"), "client", derive)
  expect(isPromise(first), "nothing on the disk: nothing to wait for").toBe(false)
  await store.apply(put(1, 2, COLUMN.b, "y"), "client", derive)
  await machine.settle(store.flush())
  const third = store.apply(put(1, 3, COLUMN.a, "z"), "client", derive)
  expect(isPromise(third), "the row is on the disk").toBe(true)
  await machine.settle(third)
  // What loses is told as well.
  await machine.settle(store.apply(put(1, 1, COLUMN.a, "late"), "client", derive))
  expect(lines).toEqual([
    "nothing + 1 3=x@1 = 1 3=x@1",
    "1 3=x@1 + 1 4=y@2 = 1 3=x@1 4=y@2",
    "1 3=x@1 4=y@2 + 1 3=z@3 = 1 3=z@3 4=y@2",
    "1 3=z@3 4=y@2 + 1 3=late@1 = 1 3=z@3 4=y@2",
  ])
  await machine.settle(store.close())
})

test("partition and range deletions call it for each row that is there and covered, with the deletion", async () => {
  const machine = new Machine()
  const store = await machine.open()
  for (let clustering = 1; clustering <= 4; clustering++) store.apply(simplePut("k", clustering, clustering, "v"), "client", null)
  await machine.settle(store.flush())
  store.apply(simplePut("k", 5, 5, "v"), "client", null)
  const lines: string[] = []
  const range = (start: number, end: number, at: number): RangeTombstone => ({
    start: clusteringOf(start), startInclusive: true, end: clusteringOf(end), endInclusive: false, deletion: deletionAt(at),
  })
  await machine.settle(store.apply(mutationOf({ key: "k", tombstones: [range(2, 4, 2)] }), "client", recorder(lines)))
  expect(lines.splice(0)).toEqual([
    "2 marker@2 3=v@2 + 2 deleted@2 = 2 deleted@2",
    "3 marker@3 3=v@3 + 3 deleted@2 = 3 deleted@2 marker@3 3=v@3".replace("deleted@2 marker@3", "marker@3 deleted@2"),
  ])
  // Row 2 is gone: there is nothing left of it that a view could show. One row of the mutation survives its deletion.
  const mutation = mutationOf({ key: "k", deletion: 4, rows: [{ clustering: 3, timestamp: 9, cells: [{ column: COLUMN.b, value: "new" }] }] })
  await machine.settle(store.apply(mutation, "client", recorder(lines)))
  expect(lines.splice(0)).toEqual([
    "3 marker@3 deleted@2 3=v@3 + 3 deleted@4 4=new@9 = 3 deleted@4 4=new@9",
    "1 marker@1 3=v@1 + 1 deleted@4 = 1 deleted@4",
    "4 marker@4 3=v@4 + 4 deleted@4 = 4 deleted@4",
    "5 marker@5 3=v@5 + 5 deleted@4 = 5 marker@5 deleted@4 3=v@5",
  ])
  // A write under the deletion: the deletion is all that exists, and what comes is told although it loses.
  await machine.settle(store.apply(simplePut("k", 7, 3, "under"), "client", recorder(lines)))
  expect(lines).toEqual(["7 deleted@4 + 7 marker@3 3=under@3 = 7 deleted@4"])
  await machine.settle(store.close())
})

test("static rows, and tables without a Derive, call nothing", async () => {
  const machine = new Machine()
  const store = await machine.open()
  const lines: string[] = []
  store.apply(mutationOf({ key: "k", rows: [{ clustering: null, timestamp: 1, cells: [{ column: COLUMN.fixed, value: "s" }] }] }), "client", recorder(lines))
  store.apply(mutationOf({ key: "k", table: SIDE, rows: [{ clustering: 1, timestamp: 1, marker: true }] }), "client", recorder(lines))
  expect(lines).toEqual([])
  await machine.settle(store.close())
})

test("obligations and entries are one record with the mutation, and come back from the log", async () => {
  const machine = new Machine()
  const store = await machine.open()
  const derive: Derive = (_table, _existing, incoming, _merged, out) => {
    const clustering = Buffer.from(incoming.row.clustering).readInt32BE(4)
    out.obligation(Buffer.from(`key of ${clustering}`))
    out.obligation(Buffer.from(`other key of ${clustering}`))
    out.entry(mutationOf({ key: `entry ${clustering}`, table: SIDE, rows: [{ clustering, timestamp: 1, marker: true }] }))
  }
  const position = await store.apply(mutationOf({ key: "k", rows: [1, 2].map((clustering) => ({ clustering, timestamp: 1, marker: true })) }), "client", derive)
  store.writeOut()
  const texts = ["key of 1", "other key of 1", "key of 2", "other key of 2"]
  expect(machine.obligations.splice(0)).toEqual(texts.map((text) => ({ text, position, replayed: false })))
  const entries = async (from: Store): Promise<string[]> => {
    const sink = new TextSink()
    await machine.settle(Promise.resolve(from.read(commandOf({ table: SIDE }), sink)))
    return sink.lines.filter((line) => !line.startsWith(" ")).toSorted()
  }
  expect(await entries(store)).toEqual(["entry 1", "entry 2"])
  store.hold(position)
  await machine.settle(store.flush())
  machine.simulation.kill(1)
  // Flushed, but held when the process ended: the obligations are there again, at the place where they were.
  let again = await machine.open()
  expect(machine.obligations.splice(0)).toEqual(texts.map((text) => ({ text, position, replayed: true })))
  expect(await entries(again)).toEqual(["entry 1", "entry 2"])
  // Nobody has taken them over: a flush does not let go of them.
  again.apply(simplePut("k", 9, 9, "v"), "client", null)
  await machine.settle(again.flush())
  machine.simulation.kill(1)
  again = await machine.open()
  expect(machine.obligations.splice(0).map(({ text }) => text)).toEqual(texts)
  again.obligationsTaken()
  machine.simulation.kill(1)
  again = await machine.open()
  expect(machine.obligations, "their segment is gone").toEqual([])
  await machine.settle(again.close())
})

test("a Derive that throws changes nothing, and an entry of an unknown table is refused as a whole", async () => {
  const machine = new Machine()
  const store = await machine.open()
  const bug = new Error("bug")
  expect(() =>
    store.apply(simplePut("k", 1, 1, "v"), "client", () => {
      throw bug
    }),
  ).toThrow(bug)
  expect(() =>
    store.apply(simplePut("k", 1, 1, "v"), "client", (_table, _existing, _incoming, _merged, out) => {
      out.entry(mutationOf({ key: "k", table: testTable({ id: 5 }), rows: [{ clustering: 1, timestamp: 1, marker: true }] }))
    }),
  ).toThrow("unknown table 5")
  const sink = new TextSink()
  await store.read(commandOf({ table: BASE }), sink)
  expect(sink.lines).toEqual([])
  await machine.settle(store.close())
})

test("a write that waited for the disk sees what was written meanwhile", async () => {
  const machine = new Machine()
  const store = await machine.open(1)
  store.apply(simplePut("k", 1, 1, "old"), "client", null)
  await machine.settle(store.flush())
  const lines: string[] = []
  const late = store.apply(simplePut("k", 1, 3, "late"), "client", recorder(lines))
  expect(isPromise(late)).toBe(true)
  store.apply(simplePut("k", 1, 2, "between"), "client", null)
  await machine.settle(late)
  expect(lines).toEqual(["1 marker@2 3=between@2 + 1 marker@3 3=late@3 = 1 marker@3 3=late@3"])
  await machine.settle(store.close())
})
