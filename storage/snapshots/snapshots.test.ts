// Snapshots on the simulated disk, with a crash at every operation of it: one that was taken is there and whole until it is
// cleared, one that was not is not, and none holds anything but what its table held at that moment.
import { expect, test } from "vitest"
import { type Simulation, type SimulatedProcess, createSimulation } from "../../runtime/simulated/simulation.ts"
import { run as compact } from "../jobs/compact.ts"
import { run as flush } from "../jobs/flush.ts"
import { type VerifiedFile, run as verify } from "../jobs/verify.ts"
import { openStore } from "../open-store.ts"
import { SnapshotError } from "./snapshots.ts"
import { mutationsOf } from "./snapshot-rows.ts"
import type { Store } from "../store.ts"
import { TextSink, commandOf, deletionAt, mutationOf, simplePut, slice, testTable } from "../testing.ts"

const TABLE = testTable({ id: 1000 })
const OTHER = testTable({ id: 1001 })

async function settle<T>(simulation: Simulation, promise: Promise<T>): Promise<T | "dead"> {
  let outcome: { readonly value: T } | { readonly error: unknown } | null = null
  promise.then((value) => (outcome = { value }), (error: unknown) => (outcome = { error }))
  await simulation.run(() => outcome !== null || !simulation.isRunning(1), { maxMs: 100_000 })
  if (!simulation.isRunning(1) || outcome === null) return "dead"
  if ("error" in outcome) throw (outcome as { error: unknown }).error
  return (outcome as { value: T }).value
}

function open({ disk, clock, jobs }: SimulatedProcess, tables = [TABLE, OTHER]): Promise<Store> {
  return openStore({ disk, clock, jobs, directory: "data", hostId: "h", clusterName: "c", options: { tables, nextTableId: 2000 }, events: { obligation: () => undefined } })
}

function simulate(seed = 1): Simulation {
  return createSimulation(seed, { bodies: { flush, compact, verify } })
}

function contents(store: Store, table = TABLE): string {
  const sink = new TextSink()
  void store.read(commandOf({ table }), sink)
  return sink.lines.join("\n")
}

function putAll(store: Store, timestamp: number): void {
  for (let count = 0; count < 6; count++) void store.apply(simplePut(`k${count % 3}`, count, timestamp, `v${timestamp}`), "client", null)
  store.writeOut()
}

/** Everything a snapshot can hold: rows, and deletions of rows, ranges and partitions. */
function deleteSome(store: Store, timestamp: number): void {
  const range = { ...slice(2, 4), deletion: deletionAt(timestamp) }
  void store.apply(mutationOf({ key: "k1", table: TABLE, tombstones: [range] }), "client", null)
  void store.apply(mutationOf({ key: "k2", table: TABLE, deletion: timestamp }), "client", null)
  void store.apply(mutationOf({ key: "k0", table: TABLE, rows: [{ clustering: 0, timestamp, deletion: timestamp }] }), "client", null)
  store.writeOut()
}

const NAMES = ["one", "two"] as const
type Step = (store: Store, told: Told) => Promise<unknown>
interface Told {
  /** What the table held when the snapshot was asked for. */
  readonly held: Map<string, string>
  readonly taken: Set<string>
  readonly clearing: Set<string>
}

const take = (name: string): Step => async (store, told) => {
  told.held.set(name, contents(store))
  await store.operations.snapshot(name, [{ id: 1000, createStatement: "CREATE TABLE t" }], { isFlushed: true })
  told.taken.add(name)
}

const SCRIPT: readonly Step[] = [
  async (store) => putAll(store, 1),
  take("one"),
  async (store) => putAll(store, 2),
  async (store) => deleteSome(store, 3),
  (store) => store.operations.compact([1000]),
  take("two"),
  async (store) => putAll(store, 4),
  (store) => store.truncate(1000),
  (store) => store.operations.importSnapshot("two", 1000, 1000, (mutation) => store.apply(mutation, "stream", null)),
  (store) => store.operations.compact([1000]),
  (store, told) => {
    told.clearing.add("one")
    return store.operations.clearSnapshots("one", () => true)
  },
]

async function play(simulation: Simulation, told: Told): Promise<Store | "dead"> {
  const store = await settle(simulation, open(simulation.start(1)))
  if (store === "dead") return "dead"
  for (const step of SCRIPT) if ((await settle(simulation, step(store, told))) === "dead") return "dead"
  return store
}

function nothingTold(): Told {
  return { held: new Map(), taken: new Set(), clearing: new Set() }
}

/** What a snapshot holds, by way of a store that has nothing else. */
async function restored(simulation: Simulation, name: string): Promise<string> {
  const process = simulation.start(1)
  const store = (await settle(simulation, open(process))) as Store
  const info = store.operations.listSnapshots().find((each) => each.name === name)
  if (info === undefined) throw new Error(`no snapshot ${name}`)
  await settle(simulation, store.truncate(1000))
  for (const { mutation } of mutationsOf(process.disk, `data/snapshots/${name}/1000`, info, TABLE)) void store.apply(mutation, "stream", null)
  const found = contents(store)
  simulation.kill(1)
  return found
}

test("a snapshot brings back rows and deletions as they were, and true sizes tell what it alone keeps", async () => {
  const simulation = simulate()
  const told = nothingTold()
  const store = (await play(simulation, told)) as Store
  expect(contents(store)).toBe(told.held.get("two"))
  expect(store.operations.listSnapshots().map(({ name, table }) => [name, table.id])).toEqual([["two", 1000]])
  const [info] = store.operations.listSnapshots()
  if (info === undefined) throw new Error("no snapshot")
  expect(store.operations.trueSize(info)).toBe(info.sstables.reduce((sum, { bytes }) => sum + bytes, 0))
  await settle(simulation, store.operations.snapshot("now", [{ id: 1000, createStatement: null }], { isFlushed: true }))
  expect(store.operations.listSnapshots().filter(({ name }) => name === "now").map((each) => store.operations.trueSize(each))).toEqual([0])
})

test.each(["kill", "powerLoss"] as const)("a crash by %s at every disk operation leaves whole snapshots or none", async (kind) => {
  const whole = simulate()
  await play(whole, nothingTold())
  const operations = whole.disk(1).operationCount
  expect(operations).toBeGreaterThan(100)
  for (let operation = kind === "kill" ? 1 : 2; operation <= operations; operation += 3) {
    const simulation = simulate(operation)
    const told = nothingTold()
    simulation.disk(1).crashAt(operation)
    await play(simulation, told).catch((error: unknown) => {
      if (simulation.isRunning(1)) throw error
    })
    if (kind === "kill") simulation.kill(1)
    else simulation.powerLoss(1)
    const store = (await settle(simulation, open(simulation.start(1)))) as Store
    const listed = store.operations.listSnapshots().map(({ name }) => name)
    simulation.kill(1)
    for (const name of NAMES) {
      if (told.taken.has(name) && !told.clearing.has(name)) expect(listed, `${kind} at ${operation}`).toContain(name)
      if (listed.includes(name)) expect(await restored(simulation, name), `${kind} at ${operation}: ${name}`).toBe(told.held.get(name))
    }
  }
})

test("what makes no sense is refused and changes nothing", async () => {
  const simulation = simulate()
  const store = (await settle(simulation, open(simulation.start(1)))) as Store
  putAll(store, 1)
  const table = { id: 1000, createStatement: null }
  for (const name of ["", "..", "a/b", "a\\b"]) await expect(settle(simulation, store.operations.snapshot(name, [table], { isFlushed: true }))).rejects.toThrow(SnapshotError)
  await settle(simulation, store.operations.snapshot("s", [table], { isFlushed: true }))
  await expect(settle(simulation, store.operations.snapshot("s", [table], { isFlushed: true }))).rejects.toThrow("Snapshot s already exists.")
  await expect(settle(simulation, store.operations.importSnapshot("nope", 1000, 1000, () => undefined))).rejects.toThrow("Snapshot [nope] does not exist")
  const before = contents(store, OTHER)
  await settle(simulation, store.operations.importSnapshot("s", 1000, 1001, (mutation) => store.apply(mutation, "stream", null)))
  expect(contents(store, OTHER)).not.toBe(before)
  expect(contents(store, OTHER)).toBe(contents(store))
})

test("verify names the file and where its damage is", async () => {
  const simulation = simulate()
  const store = (await settle(simulation, open(simulation.start(1)))) as Store
  putAll(store, 1)
  await settle(simulation, store.flush())
  const verified = async (): Promise<VerifiedFile> => {
    const files = await settle(simulation, store.operations.verify([1000]))
    if (files === "dead" || files.length !== 1) throw new Error("one file is there")
    return files[0] as VerifiedFile
  }
  const { path, bytes, problem } = await verified()
  expect(problem).toBeNull()
  expect(path).toMatch(/^data\/tables\/1000\/\d+\.sst$/)
  for (const offset of [3, 20, Math.floor(bytes / 2), bytes - 30]) {
    const disk = simulation.disk(1)
    disk.corrupt(path, offset)
    expect((await verified()).problem, `a bit flipped at ${offset}`).toContain(`${path} at offset `)
    disk.corrupt(path, offset)
  }
})
