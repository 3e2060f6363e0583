// What the log keeps for its owner: segments with obligations, over kills and losses of power.
import { expect, test } from "vitest"
import type { LogPosition } from "../../data/local-store.ts"
import { Buffer } from "../../runtime/pure.ts"
import { type Simulation, createSimulation } from "../../runtime/simulated/simulation.ts"
import { run as compact } from "../jobs/compact.ts"
import { run as flush } from "../jobs/flush.ts"
import { openStore } from "../open-store.ts"
import type { Store } from "../store.ts"
import { TextSink, commandOf, mutationOf, simplePut, testTable } from "../testing.ts"

const VIEWED = testTable({ id: 1000, views: [testTable({ id: 1001 })] })
const TABLES = [VIEWED, testTable({ id: 1001 })]

interface Opened {
  readonly store: Store
  readonly found: { readonly text: string; readonly position: LogPosition }[]
}

async function settled<T>(simulation: Simulation, promise: Promise<T>): Promise<T> {
  let isSettled = false
  const settle = (): void => {
    isSettled = true
  }
  promise.then(settle, settle)
  await simulation.run(() => isSettled)
  return promise
}

async function open(simulation: Simulation): Promise<Opened> {
  const { disk, clock, jobs } = simulation.start(1)
  const found: Opened["found"] = []
  const store = await settled(
    simulation,
    openStore({
      disk, clock, jobs, directory: "data", hostId: "h", clusterName: "c", options: { tables: TABLES, commitlogSegmentBytes: 300 },
      events: { obligation: (bytes, position) => found.push({ text: Buffer.from(bytes).toString(), position }) },
    }),
  )
  return { store, found }
}

/** A write that owes `text`. */
function write(store: Store, clustering: number, text: string): LogPosition {
  return store.apply(simplePut("k", clustering, clustering + 1, "v"), "client", (_table, _existing, _incoming, _merged, out) => out.obligation(Buffer.from(text))) as LogPosition
}

function segments(simulation: Simulation): number[] {
  return simulation.disk(1).list("data/commitlog").filter((name) => name.endsWith(".log")).map((name) => Number(name.slice(0, 10)))
}

test("a segment whose rows are flushed stays while its obligations are held", async () => {
  const simulation = createSimulation(1, { bodies: { flush, compact } })
  const { store } = await open(simulation)
  const hold = store.hold(write(store, 1, "owed"))
  for (let clustering = 2; clustering < 12; clustering++) {
    write(store, clustering, "x".repeat(50))
    await settled(simulation, store.flush())
  }
  expect(segments(simulation)[0]).toBe(1)
  hold.release()
  hold.release()
  write(store, 20, "next")
  await settled(simulation, store.flush())
  expect(segments(simulation)[0]).toBeGreaterThan(1)
})

test("what is owed is found again after any number of starts, also when nobody took it and all rows are flushed", async () => {
  const simulation = createSimulation(2, { bodies: { flush, compact } })
  let opened = await open(simulation)
  const position = write(opened.store, 1, "owed")
  const hold = opened.store.hold(position)
  for (let clustering = 2; clustering < 6; clustering++) {
    write(opened.store, clustering, "x".repeat(50))
    await settled(simulation, opened.store.flush())
  }
  for (let start = 0; start < 3; start++) {
    if (start === 1) simulation.powerLoss(1)
    else simulation.kill(1)
    opened = await open(simulation)
    expect(opened.found.map(({ text }) => text), `start ${start}`).toContain("owed")
    await settled(simulation, opened.store.flush())
  }
  const taken = opened.found.filter(({ text }) => text === "owed").map((each) => opened.store.hold(each.position))
  opened.store.obligationsTaken()
  expect(segments(simulation)).toContain(position.segment)
  for (const each of taken) each.release()
  opened.store.obligationsTaken()
  expect(segments(simulation)).not.toContain(position.segment)
  hold.release()
})

test("the obligations of a segment can be read while the store runs, also those that were written just now", async () => {
  const simulation = createSimulation(5, { bodies: { flush, compact } })
  const { store } = await open(simulation)
  const written: string[] = []
  const positions: LogPosition[] = []
  for (let clustering = 1; clustering < 12; clustering++) {
    written.push(`owed ${clustering}`)
    positions.push(write(store, clustering, `owed ${clustering}`))
    store.hold(positions.at(-1)!)
    if (clustering % 3 === 0) store.writeOut()
  }
  const found: string[] = []
  for (const segment of new Set(positions.map((position) => position.segment))) {
    await settled(simulation, store.obligationsIn(segment, (bytes) => found.push(Buffer.from(bytes).toString())))
  }
  expect(found).toEqual(written)
  await expect(settled(simulation, store.obligationsIn(99, () => undefined))).rejects.toThrow()
  // The same after a restart.
  simulation.kill(1)
  const again = await open(simulation)
  found.length = 0
  for (const segment of new Set(positions.map((position) => position.segment))) {
    await settled(simulation, again.store.obligationsIn(segment, (bytes) => found.push(Buffer.from(bytes).toString())))
  }
  expect(found).toEqual(written)
})

test("what a killed process wrote is durable once the next one is open", async () => {
  for (let seed = 0; seed < 40; seed++) {
    const simulation = createSimulation(`names ${seed}`, { bodies: { flush, compact } })
    const first = await open(simulation)
    write(first.store, 1, "owed")
    first.store.writeOut()
    simulation.kill(1)
    await open(simulation)
    simulation.powerLoss(1)
    const { store, found } = await open(simulation)
    const sink = new TextSink()
    void store.read(commandOf({ table: VIEWED, key: "k" }), sink)
    expect([sink.lines.length, found.length], `seed ${seed}`).toEqual([3, 1])
  }
})

test("a record with more view entries than 16 bits count is found again whole", async () => {
  const simulation = createSimulation(4, { bodies: { flush, compact } })
  const { store } = await open(simulation)
  const entries = 70_000
  await settled(
    simulation,
    Promise.resolve(
      store.apply(simplePut("k", 1, 1, "v"), "client", (_table, _existing, _incoming, _merged, out) => {
        for (let clustering = 0; clustering < entries; clustering++) out.entry(mutationOf({ key: "k", table: TABLES[1]!, rows: [{ clustering, timestamp: 1, marker: true }] }))
      }),
    ),
  )
  store.writeOut()
  simulation.kill(1)
  const again = await open(simulation)
  expect(again.store.stats(1001).memtableRows).toBe(entries)
})

test("the newest record's position is durable when everything is", async () => {
  const simulation = createSimulation(3)
  const { store } = await open(simulation)
  let isDurable = false
  store.onDurable(store.lastPosition(), () => {
    isDurable = true
  })
  expect(isDurable).toBe(true)
  const position = write(store, 1, "owed")
  expect(store.lastPosition()).toEqual(position)
  let durable = 0
  store.onDurable(store.lastPosition(), () => durable++)
  store.onDurable(position, () => durable++)
  expect(durable).toBe(0)
  await simulation.run(() => durable === 2)
})
