// Long reads are done in shares: others are served in between, and what comes out is what one read would give.
import { expect, test } from "vitest"
import { MutationWriter } from "../../data/mutation.ts"
import { NO_LIMIT } from "../../data/read-command.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import { encodeClustering } from "../../data/row-format.ts"
import { run as compact } from "../jobs/compact.ts"
import { run as flush } from "../jobs/flush.ts"
import { createSimulation } from "../../runtime/simulated/simulation.ts"
import { isPromise } from "../../runtime/pure.ts"
import { openStore } from "../open-store.ts"
import type { Store } from "../store.ts"
import { COLUMN, TextSink, clusteringOf, commandOf, deletionAt, mutationOf, rowOf, simplePut, slice, testTable } from "../testing.ts"

const TABLE = testTable()
const ROWS_PER_SHARE = 100
const ROWS = 1000

interface Setting {
  readonly store: Store
  settle<T>(value: T | Promise<T>): Promise<T>
  /** Turns of the event loop that reads have waited for. */
  turns(): number
}

async function setting(table = TABLE): Promise<Setting> {
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
  let turns = 0
  const counted = new Proxy(clock, {
    get: (target, name) =>
      name === "atTurnEnd"
        ? (fn: () => void) => {
            turns++
            target.atTurnEnd(fn)
          }
        : typeof target[name as keyof typeof target] === "function" ? (target[name as keyof typeof target] as () => void).bind(target) : target[name as keyof typeof target],
  })
  const events = { obligation: () => undefined, failed: (error: Error) => { throw error } }
  const store = await settle(openStore({ disk, clock: counted, jobs, directory: "data", hostId: "h", clusterName: "c", options: { tables: [table], rowsPerShare: ROWS_PER_SHARE }, events }))
  return { store, settle, turns: () => turns }
}

const put = (store: Store, mutation: Buffer): unknown => store.apply(mutation, "client", null)
const readAll = async ({ store, settle }: Setting, read: Parameters<typeof commandOf>[0]): Promise<string[]> => {
  const sink = new TextSink()
  await settle(store.read(commandOf(read), sink))
  return sink.lines
}

test.each([false, true])("rows among very many deleted ones are found share by share, reversed: %s", async (reversed) => {
  const made = await setting()
  const { store, settle } = made
  for (let clustering = 0; clustering < ROWS; clustering++) put(store, simplePut("a", clustering, 1, "v"))
  await settle(store.flush())
  for (let clustering = 0; clustering < ROWS; clustering++) {
    if (clustering !== 444) put(store, mutationOf({ key: "a", table: TABLE, rows: [{ clustering, timestamp: 2, deletion: 2 }] }))
  }
  const before = made.turns()
  const lines = await readAll(made, { table: TABLE, key: "a", reversed, limit: 1 })
  expect(lines.filter((line) => !line.endsWith("(dead)"))).toEqual(["a", `  444 marker@1 ${COLUMN.a}=v@1`, "  ."])
  expect(made.turns() - before).toBeGreaterThanOrEqual(ROWS / 2 / ROWS_PER_SHARE)
})

test("rows that a deletion leaves nothing of are passed over share by share", async () => {
  const made = await setting()
  const { store, settle } = made
  for (let clustering = 0; clustering < ROWS; clustering++) put(store, simplePut("a", clustering, 1, "v"))
  await settle(store.flush())
  put(store, mutationOf({ key: "a", table: TABLE, tombstones: [{ start: clusteringOf(null), startInclusive: true, end: clusteringOf(ROWS - 2), endInclusive: true, deletion: deletionAt(5) }] }))
  const before = made.turns()
  expect(await readAll(made, { table: TABLE, key: "a", limit: 10 })).toEqual(["a", `  [, ${ROWS - 2}] deleted@5`, `  ${ROWS - 1} marker@1 ${COLUMN.a}=v@1`, "  ."])
  expect(made.turns() - before).toBeGreaterThanOrEqual(ROWS / ROWS_PER_SHARE)
})

test("a range of many small partitions, and limits over several shares", async () => {
  const made = await setting()
  for (let index = 0; index < ROWS; index++) put(made.store, simplePut(`key ${index}`, index, 1, "v"))
  const all = await readAll(made, { table: TABLE })
  expect(all.filter((line) => line === "  .")).toHaveLength(ROWS)
  expect(await readAll(made, { table: TABLE, limit: 321 })).toEqual(all.slice(0, 3 * 321))
  expect(await readAll(made, { table: TABLE, limit: NO_LIMIT, perPartitionLimit: 1 })).toEqual(all)
})

test("what is written and flushed between two shares is read as it is then", async () => {
  const made = await setting()
  const { store, settle } = made
  for (let clustering = 0; clustering < ROWS; clustering++) put(store, simplePut("a", clustering, 1, "v"))
  const sink = new TextSink()
  const reading = store.read(commandOf({ table: TABLE, key: "a" }), sink)
  expect(isPromise(reading)).toBe(true)
  put(store, simplePut("a", ROWS - 1, 2, "new"))
  put(store, simplePut("a", 0, 2, "too late"))
  await settle(Promise.all([store.flush(), reading]))
  expect(sink.lines).toHaveLength(ROWS + 2)
  expect(sink.lines[1]).toBe(`  0 marker@1 ${COLUMN.a}=v@1`)
  expect(sink.lines.at(-2)).toBe(`  ${ROWS - 1} marker@2 ${COLUMN.a}=new@2`)
})

test("a partition that goes away between two shares ends where it was", async () => {
  const made = await setting()
  const { store, settle } = made
  for (let clustering = 0; clustering < ROWS; clustering++) put(store, simplePut("a", clustering, 1, "v"))
  for (const target of ["a", null]) {
    const sink = new TextSink()
    const reading = store.read(commandOf({ table: TABLE, key: target }), sink)
    if (target === null) await settle(Promise.all([store.truncate(TABLE.id), reading]))
    else {
      await settle(reading)
      expect(sink.lines).toHaveLength(ROWS + 2)
    }
    expect(sink.lines[0]).toBe("a")
    expect(sink.lines.at(-1)).toBe("  .")
  }
})

test("reads that are no longer than a share are one point in time", async () => {
  const made = await setting()
  for (let clustering = 0; clustering < ROWS; clustering++) put(made.store, simplePut("a", clustering, 1, "v"))
  const sink = new TextSink()
  expect(isPromise(made.store.read(commandOf({ table: TABLE, key: "a", limit: ROWS_PER_SHARE }), sink))).toBe(false)
  expect(isPromise(made.store.read(commandOf({ table: TABLE, key: "a", slices: [slice(3, 50)] }), sink))).toBe(false)
})

// Found by kill rounds: the row at which a share ended came twice.
test("a share that ends with the one row of a partition without clustering columns goes on behind it", async () => {
  const { descriptor } = TABLE
  const table = resolveTable({ ...descriptor, columns: descriptor.columns.filter(({ kind }) => kind !== "clustering" && kind !== "static") }, [])
  const made = await setting(table)
  const writer = new MutationWriter()
  for (let number = 0; number < 400; number++) {
    writer.begin(Buffer.from(`key${number}`), 0, Buffer.byteLength(`key${number}`))
    writer.beginUpdate(table.id)
    writer.row({ ...rowOf({ clustering: 1, timestamp: 1, marker: true }), clustering: encodeClustering([]) })
    writer.endUpdate()
    put(made.store, Buffer.from(writer.end()))
  }
  const before = made.turns()
  const lines = await readAll(made, { table })
  expect(made.turns() - before).toBeGreaterThan(5)
  expect([lines.filter((line) => line.startsWith("key")).length, lines.filter((line) => line.includes("marker@1")).length]).toEqual([400, 400])
})
