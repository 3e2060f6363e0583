// A scripted history on the simulated disk, ended by a crash at every one of its disk operations in turn, in each mode of
// commitlog_sync. After each crash the store must open and hold a prefix of the history: after a kill at least everything that was
// written out, after a power loss at least everything that was synced, which in the modes batch and group is everything that was
// acknowledged; mutations of several tables wholly or not at all. Then the same history under disks that cannot be read and bits
// that flip.
import { expect, test } from "vitest"
import { DiskError } from "../runtime/disk.ts"
import type { SimulatedDisk } from "../runtime/simulated/simulated-disk.ts"
import { SimulatedRandom } from "../runtime/simulated/simulated-random.ts"
import { type Simulation, createSimulation } from "../runtime/simulated/simulation.ts"
import type { SimulatedProcess } from "../runtime/simulated/simulation.ts"
import { MutationWriter } from "../data/mutation.ts"
import { run as compact } from "./jobs/compact.ts"
import { run as flush } from "./jobs/flush.ts"
import type { CommitLogSync } from "./log/commit-log.ts"
import { CorruptFileError, DataDirectoryError } from "./errors.ts"
import { openStore } from "./open-store.ts"
import type { Store } from "./store.ts"
import { COLUMN, TextSink, commandOf, rowOf, testTable } from "./testing.ts"

const TABLES = [testTable({ id: 1000 }), testTable({ id: 1001, compressed: false })] as const

/** The same row to both tables in one mutation; every third write to the second one alone. */
function mutation(number: number): Buffer {
  const writer = new MutationWriter()
  const key = Buffer.from(`key${number % 5}`)
  writer.begin(key, 0, key.length)
  for (const table of number % 3 === 0 ? TABLES.slice(1) : TABLES) {
    writer.beginUpdate(table.id)
    writer.row(rowOf({ clustering: number % 7, timestamp: number, marker: true, cells: [{ column: COLUMN.a, value: `value ${number}` }] }))
    writer.endUpdate()
  }
  return Buffer.from(writer.end())
}

type Step = { readonly kind: "write"; readonly number: number } | { readonly kind: "writeOut" | "sync" | "flush" | "flush one" | "truncate" | "pause" }

/** Writes in small turns, with everything that touches files in between, several times over. */
function script(): Step[] {
  const steps: Step[] = []
  let number = 0
  const writes = (count: number): void => {
    for (let left = count; left > 0; left--) steps.push({ kind: "write", number: ++number })
    steps.push({ kind: "writeOut" })
  }
  for (let round = 0; round < 2; round++) {
    writes(3)
    writes(2)
    steps.push({ kind: "sync" })
    writes(4)
    steps.push({ kind: "flush" })
    writes(1)
    if (round === 1) steps.push({ kind: "truncate" })
    writes(3)
    steps.push({ kind: "pause" })
  }
  // Several segments between two syncs: a loss of power may take any of them.
  for (let turn = 0; turn < 4; turn++) writes(8)
  // Enough flushes for a compaction.
  for (let round = 0; round < 7; round++) {
    writes(1)
    steps.push({ kind: "flush one" })
  }
  steps.push({ kind: "pause" })
  writes(2)
  return steps
}

const SCRIPT = script()

/** What both tables hold after the first `count` steps. */
function modelAfter(count: number): string[] {
  const tables = [new Map<string, string>(), new Map<string, string>()] as const
  for (const step of SCRIPT.slice(0, count)) {
    if (step.kind === "truncate") tables[0].clear()
    if (step.kind !== "write") continue
    const { number } = step
    for (const table of number % 3 === 0 ? [tables[1]] : tables) table.set(`key${number % 5} ${number % 7}`, `marker@${number} ${COLUMN.a}=value ${number}@${number}`)
  }
  return tables.map((table) => [...table].map(([key, row]) => `${key}: ${row}`).toSorted().join("\n"))
}

const MODELS = Array.from({ length: SCRIPT.length + 1 }, (_, count) => modelAfter(count).join("\n--\n"))

function contents(store: Store): string {
  return TABLES.map((table) => {
    const sink = new TextSink()
    void store.read(commandOf({ table }), sink)
    let key = ""
    const rows: string[] = []
    for (const line of sink.lines) {
      if (!line.startsWith(" ")) key = line
      else if (line !== "  .") rows.push(`${key} ${line.trim().replace(" ", ": ")}`)
    }
    return rows.toSorted().join("\n")
  }).join("\n--\n")
}

async function settle<T>(simulation: Simulation, promise: Promise<T>): Promise<T | "dead"> {
  let result: T | "dead" = "dead"
  let failure: unknown = null
  let done = false
  promise.then(
    (value) => {
      result = value
      done = true
    },
    (error: unknown) => {
      failure = error
      done = true
    },
  )
  await simulation.run(() => done || !simulation.isRunning(1), { maxMs: 100_000 })
  if (failure !== null && simulation.isRunning(1)) throw failure
  return result
}

function open({ disk, clock, jobs }: SimulatedProcess, commitlogSync: CommitLogSync): Promise<Store> {
  return openStore({
    disk, clock, jobs, directory: "data", hostId: "h", clusterName: "c",
    options: { tables: TABLES, commitlogSegmentBytes: 1500, commitlogSync, commitlogSyncPeriodMs: 50, commitlogSyncGroupWindowMs: 5 }, events: { obligation: () => undefined },
  })
}

interface Outcome {
  /** Steps begun, those whose writes were written out, and those that were synced. */
  begun: number
  writtenOut: number
  synced: number
}

/** Runs the script until it is done or the process is dead. */
async function play(simulation: Simulation, process: SimulatedProcess, mode: CommitLogSync, outcome: Outcome): Promise<void> {
  const store = await settle(simulation, open(process, mode))
  if (store === "dead") return
  const acknowledgements: Promise<unknown>[] = []
  for (const step of SCRIPT) {
    outcome.begun++
    if (step.kind === "write") acknowledgements.push(Promise.resolve(store.apply(mutation(step.number), "client", null)))
    else if ((await playStep(simulation, store, step, acknowledgements)) === "dead" || !simulation.isRunning(1)) return
    if (step.kind !== "write") outcome.writtenOut = outcome.begun
    const isAcknowledged = mode !== "periodic" && step.kind === "writeOut"
    if (isAcknowledged || ["sync", "flush", "flush one", "truncate"].includes(step.kind)) outcome.synced = outcome.begun
  }
}

async function playStep(simulation: Simulation, store: Store, step: Step, acknowledgements: Promise<unknown>[]): Promise<unknown> {
  switch (step.kind) {
    case "writeOut":
      store.writeOut()
      return settle(simulation, Promise.all(acknowledgements.splice(0)))
    case "sync":
      return settle(simulation, new Promise<void>((resolve) => store.onDurable(store.lastPosition(), resolve)))
    case "pause":
      return simulation.run(simulation.scheduler.nowMicros / 1000 + 200)
    case "truncate":
      return settle(simulation, store.truncate(1000))
    default:
      return settle(simulation, step.kind === "flush" ? store.flush() : store.flush(1001))
  }
}

/** The longest prefix that the contents are the outcome of, -1 when they are of none. */
function prefixOf(found: string): number {
  return MODELS.lastIndexOf(found)
}

async function crashAt(operation: number, kind: "kill" | "powerLoss", mode: CommitLogSync, seed: number): Promise<void> {
  const simulation = createSimulation(seed, { bodies: { flush, compact } })
  const outcome: Outcome = { begun: 0, writtenOut: 0, synced: 0 }
  simulation.disk(1).crashAt(operation)
  await play(simulation, simulation.start(1), mode, outcome).catch((error: unknown) => {
    if (simulation.isRunning(1)) throw error
  })
  const end = (): void => (kind === "kill" ? simulation.kill(1) : simulation.powerLoss(1))
  end()
  const where = `seed ${seed}, ${mode}, ${kind} at operation ${operation}, step ${outcome.begun} of ${SCRIPT.length}`
  const store = (await settle(simulation, open(simulation.start(1), mode))) as Store
  const found = contents(store)
  const prefix = prefixOf(found)
  expect(prefix, `${where}: a prefix of the history, found\n${found}`).toBeGreaterThanOrEqual(0)
  expect(prefix, `${where}: what was promised`).toBeGreaterThanOrEqual(kind === "kill" ? outcome.writtenOut : outcome.synced)
  expect(MODELS.indexOf(found), `${where}: nothing that was never asked for`).toBeLessThanOrEqual(outcome.begun)
  // And the store that came up goes on as any other: it takes writes, and a second crash loses none of them.
  const acknowledged = Promise.resolve(store.apply(mutation(1000), "client", null))
  store.writeOut()
  const more = contents(store)
  await settle<unknown>(simulation, mode === "periodic" && kind === "powerLoss" ? store.close() : acknowledged)
  end()
  const again = (await settle(simulation, open(simulation.start(1), mode))) as Store
  expect(contents(again), `${where}: the second crash`).toBe(more)
  await settle(simulation, again.close())
}

const MODES = ["periodic", "batch", "group"] as const
const KINDS = ["kill", "powerLoss"] as const
// A sample in every run; each operation in each mode by both kinds, under many seeds, in the long one.
const SEEDS = Number(process.env["CRASH_SEEDS"] ?? 0)
const FIRST_SEED = Number(process.env["CRASH_SEED"] ?? 1)
const STRIDE = SEEDS > 0 ? 1 : 2 * MODES.length * KINDS.length

test.each(MODES.flatMap((mode) => KINDS.map((kind) => [mode, kind] as const)))("%s: a crash by %s at every disk operation leaves what was promised", async (mode, kind) => {
  const whole = createSimulation(1, { bodies: { flush, compact } })
  const outcome: Outcome = { begun: 0, writtenOut: 0, synced: 0 }
  await play(whole, whole.start(1), mode, outcome)
  expect(outcome.begun).toBe(SCRIPT.length)
  const operations = whole.disk(1).operationCount
  expect(operations).toBeGreaterThan(150)
  const first = SEEDS > 0 ? 1 : 1 + MODES.indexOf(mode) * KINDS.length + KINDS.indexOf(kind)
  for (let seed = FIRST_SEED; seed < FIRST_SEED + Math.max(SEEDS, 1); seed++) {
    for (let operation = first; operation <= operations; operation += STRIDE) await crashAt(operation, kind, mode, seed)
  }
})

/** The history played to its end and killed, and what it must hold. */
async function ended(seed: number): Promise<Simulation> {
  const simulation = createSimulation(seed, { bodies: { flush, compact } })
  await play(simulation, simulation.start(1), "periodic", { begun: 0, writtenOut: 0, synced: 0 })
  simulation.kill(1)
  return simulation
}

test("a start that cannot read its disk says so, at every read, and the next one finds everything", async () => {
  const simulation = await ended(FIRST_SEED)
  for (let reads = 1; ; reads++) {
    const process = simulation.start(1)
    let count = 0
    const simulated = simulation.disk(1)
    simulated.onOperation = ({ kind, path }) => {
      if ((kind === "read" || kind === "readFile" || kind === "list") && ++count === reads) throw new DiskError("EIO", path, kind)
    }
    const error: unknown = await settle(simulation, open(process, "periodic")).then(() => null, (thrown: unknown) => thrown)
    simulated.onOperation = null
    simulation.kill(1)
    if (count < reads) break
    expect(error, `read ${reads}`).toBeInstanceOf(DiskError)
  }
  const store = (await settle(simulation, open(simulation.start(1), "periodic"))) as Store
  expect(contents(store)).toBe(MODELS.at(-1))
})

test("a flipped bit is told with its file, or was in nothing that counts: never another answer", async () => {
  let told = 0
  const counts = { log: 0, manifest: 0, tables: 0 }
  for (let seed = FIRST_SEED; seed < FIRST_SEED + 30 * Math.max(SEEDS, 1); seed++) {
    const simulation = await ended(FIRST_SEED)
    const disk = simulation.disk(1)
    const random = new SimulatedRandom(seed)
    const paths = filesOf(disk).filter((path) => !path.endsWith(".json") && !path.endsWith("lock"))
    const path = paths[random.below(paths.length)] as string
    disk.corrupt(path, random.below(disk.contents(path).length), 1 << random.below(8))
    counts[path.includes("commitlog") ? "log" : path.includes("tables") ? "tables" : "manifest"]++
    try {
      const found = contents((await settle(simulation, open(simulation.start(1), "periodic"))) as Store)
      // Of the log's last chunks no later one says that they were synced: they pass for a torn end.
      expect(prefixOf(found), `seed ${seed}, ${path}`).toBeGreaterThanOrEqual(0)
    } catch (error) {
      if (!(error instanceof CorruptFileError || error instanceof DataDirectoryError)) throw error
      expect(error.message).toContain(path)
      told++
    }
  }
  expect(Math.min(told, counts.log, counts.tables)).toBeGreaterThan(2)
})

function filesOf(disk: SimulatedDisk, directory = "data"): string[] {
  return disk.list(directory).flatMap((name) => {
    const path = `${directory}/${name}`
    try {
      return filesOf(disk, path)
    } catch {
      return [path]
    }
  })
}
