// When writes are acknowledged, what a full or failing disk does to them, and files that are used again.
import { expect, test } from "vitest"
import { DiskError } from "../../runtime/disk.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { segmentName } from "./commit-log-format.ts"
import { CommitLogError, CorruptFileError, DiskFullError } from "../errors.ts"
import type { Store } from "../store.ts"
import { LOG, Machine, TABLE, chunkStarts, logs, rowCount, values } from "../testing-machine.ts"
import { mutationOf, simplePut, testTable } from "../testing.ts"

function countSyncs(machine: Machine): number[] {
  const atMs: number[] = []
  machine.disk.onOperation = ({ kind, path }) => {
    if (kind === "sync" && path.startsWith(LOG)) atMs.push(machine.simulation.scheduler.nowMicros / 1000)
  }
  return atMs
}

/** Applies a write; the result tells what became of its acknowledgement. */
function put(store: Store, mutation: Buffer): { state: "waiting" | "acknowledged" | Error } {
  const outcome: { state: "waiting" | "acknowledged" | Error } = { state: "waiting" }
  try {
    const applied = store.apply(mutation, "client", null)
    if (!(applied instanceof Promise)) outcome.state = "acknowledged"
    else {
      applied.then(
        () => {
          outcome.state = "acknowledged"
        },
        (error: unknown) => {
          outcome.state = error as Error
        },
      )
    }
  } catch (error) {
    outcome.state = error as Error
  }
  return outcome
}

test("periodic acknowledges at once", async () => {
  const machine = new Machine()
  const store = await machine.open()
  const syncs = countSyncs(machine)
  expect(put(store, simplePut("k", 1, 1, "v")).state).toBe("acknowledged")
  await machine.pass(100)
  expect(syncs.length).toBe(0)
  await machine.settle(store.close())
})

test("batch acknowledges after a sync, which all writes share that came before it began", async () => {
  const machine = new Machine()
  const store = await machine.open({ commitlogSync: "batch" })
  const syncs = countSyncs(machine)
  const first = Array.from({ length: 10 }, (_, number) => put(store, simplePut("k", number, 1, "v")))
  expect(first.every(({ state }) => state === "waiting")).toBe(true)
  // The sync takes some 0.2 ms; what comes meanwhile waits for the next one.
  await machine.pass(0.1)
  expect(syncs.length).toBe(1)
  const second = Array.from({ length: 10 }, (_, number) => put(store, simplePut("k", 100 + number, 1, "v")))
  await machine.simulation.run(() => first.every(({ state }) => state === "acknowledged"))
  expect(second.every(({ state }) => state === "waiting")).toBe(true)
  await machine.simulation.run(() => second.every(({ state }) => state === "acknowledged"))
  expect(syncs.length).toBe(2)
  machine.losePower()
  expect(values(await machine.open()).length).toBe(20)
})

test("group acknowledges after a sync, and leaves the window between syncs", async () => {
  const machine = new Machine()
  const store = await machine.open({ commitlogSync: "group", commitlogSyncGroupWindowMs: 50 })
  const syncs = countSyncs(machine)
  const outcomes: ReturnType<typeof put>[] = []
  for (let number = 0; number < 40; number++) {
    outcomes.push(put(store, simplePut("k", number, 1, "v")))
    await machine.pass(5)
  }
  await machine.simulation.run(() => outcomes.every(({ state }) => state === "acknowledged"))
  expect(syncs.length).toBeLessThanOrEqual(6)
  for (let index = 1; index < syncs.length; index++) expect((syncs[index] as number) - (syncs[index - 1] as number)).toBeGreaterThanOrEqual(50)
  await machine.settle(store.close())
})

test.each(["batch", "group"] as const)("a write that waits for its sync is told when that fails (%s)", async (commitlogSync) => {
  const machine = new Machine()
  const told: Error[] = []
  const store = await machine.open({ commitlogSync }, { logFailed: (error) => told.push(error) })
  machine.disk.failNext("sync", "EIO", LOG)
  const outcome = put(store, simplePut("k", 1, 1, "v"))
  await machine.pass(100)
  expect(outcome.state).toBeInstanceOf(CommitLogError)
  expect(put(store, simplePut("k", 2, 1, "v")).state).toBeInstanceOf(CommitLogError)
  expect(told.length).toBe(1)
  // Reads go on.
  expect(values(store).length).toBe(1)
  await machine.settle(store.close())
})

test("a full disk refuses writes before anything is written, reads go on, and writes too once there is space", async () => {
  const machine = new Machine()
  const told: Error[] = []
  let store = await machine.open({ commitlogSegmentBytes: 4096 }, { logFailed: (error) => told.push(error) })
  machine.disk.capacityBytes = machine.disk.usedBytes + 20_000
  let accepted = 0
  for (let number = 0; number < 500; number++) {
    const { state } = put(store, simplePut("k", number, 1, "v".repeat(100)))
    if (state === "acknowledged") accepted++
    else expect(state).toBeInstanceOf(DiskFullError)
    if (number % 3 === 0) await machine.pass(1)
  }
  expect(accepted).toBeGreaterThan(50)
  expect(accepted).toBeLessThan(200)
  expect(values(store).length).toBe(accepted)
  expect(told.length).toBe(1)
  machine.disk.capacityBytes = null
  for (let number = 0; number < 50; number++) expect(put(store, simplePut("k", 1000 + number, 1, "v".repeat(100))).state).toBe("acknowledged")
  machine.disk.capacityBytes = machine.disk.usedBytes
  for (let number = 0; number < 100; number++) put(store, simplePut("k", 2000 + number, 1, "v".repeat(100)))
  expect(told.length).toBe(2)
  const found = values(store)
  store.writeOut()
  machine.kill()
  machine.disk.capacityBytes = null
  store = await machine.open()
  expect(values(store)).toEqual(found)
  await machine.settle(store.close())
})

test("flushes that a full disk refuses leave nothing behind, neither data nor manifest being written", async () => {
  for (const refused of ["tables", "manifest"]) {
    const machine = new Machine()
    const store = await machine.open()
    put(store, simplePut("k", 1, 1, "v"))
    machine.disk.onOperation = ({ kind, path }) => {
      if (kind === "write" && path.includes(refused)) throw new DiskError("ENOSPC", path, kind)
    }
    await expect(machine.settle(store.flush())).rejects.toThrow("ENOSPC")
    await machine.pass(5500)
    expect(machine.failures.length).toBeGreaterThan(4)
    expect(machine.disk.list("data/tables/1000"), refused).toEqual([])
    machine.disk.onOperation = null
    await machine.pass(1500)
    expect(store.stats(TABLE.id).sstables).toBe(1)
    expect(values(store).length).toBe(1)
    await machine.settle(store.close())
  }
})

test("segments are made of those that nobody needs, within the bound, and never bring back what they held", async () => {
  const machine = new Machine()
  let store = await machine.open({ commitlogSegmentBytes: 4096, commitlogTotalBytes: 40_960 })
  const counts = { reused: 0, made: 0 }
  machine.disk.onOperation = ({ kind, path }) => {
    if (kind === "rename" && path.includes(".spare -> ")) counts.reused++
    if (kind === "writeFile" && path.startsWith(LOG)) counts.made++
  }
  for (let round = 0; round < 40; round++) {
    for (let number = 0; number < 40; number++) {
      put(store, simplePut("k", number, round + 1, `${round} ${"v".repeat(100)}`))
      if (number % 7 === 0) await machine.pass(1)
    }
    await machine.settle(store.flush())
    expect(machine.disk.list(LOG).length).toBeLessThanOrEqual(10)
    if (round % 10 !== 9) continue
    // Rows that only the log has, in a segment that was another: exactly they come back.
    for (let number = 100; number < 105; number++) {
      put(store, simplePut("k", number, round + 1, `${round}`))
      store.writeOut()
    }
    const found = values(store)
    machine.kill()
    expect(machine.disk.list(LOG).some((name) => name.endsWith(".spare"))).toBe(true)
    store = await machine.open({ commitlogSegmentBytes: 4096, commitlogTotalBytes: 40_960 })
    expect(values(store)).toEqual(found)
    expect(store.stats(TABLE.id).memtableRows).toBe(5)
    expect(machine.disk.list(LOG).some((name) => name.endsWith(".spare"))).toBe(false)
  }
  // A segment that is reused is opened, too.
  expect(counts.reused).toBeGreaterThan(counts.made / 2)
  machine.disk.onOperation = null
  await machine.settle(store.close())
})

test("a log that is larger than the memtables may be is replayed through SSTables", async () => {
  const machine = new Machine()
  const size = { commitlogSegmentBytes: 64 << 10, commitlogTotalBytes: 100 << 20 }
  const store = await machine.open({ ...size, memtableSpaceBytes: 64 << 20 })
  for (let number = 0; number < 6000; number++) {
    put(store, simplePut(`k${number % 100}`, number, 1, "v".repeat(200)))
    if (number % 50 === 0) store.writeOut()
  }
  store.writeOut()
  machine.kill()
  let largest = 0
  machine.disk.onOperation = ({ kind, path }) => {
    if (kind === "write" && path.includes("/tables/")) largest++
  }
  const again = await machine.open({ ...size, memtableSpaceBytes: 200_000 })
  expect(largest).toBeGreaterThan(0)
  expect(again.stats(TABLE.id).memtableBytes).toBeLessThanOrEqual(600_000)
  expect(await rowCount(again)).toBe(6000)
  machine.kill()
  // Segments whose records were flushed meanwhile are passed over.
  const third = await machine.open({ ...size, memtableSpaceBytes: 200_000 })
  expect(await rowCount(third)).toBe(6000)
  await machine.settle(third.close())
})

test("many tables share the bound of the memtables: writes wait, none hangs, and the bound holds", async () => {
  const machine = new Machine()
  const tables = Array.from({ length: 60 }, (_, index) => testTable({ id: 1000 + index }))
  // A table with one row holds 16 KiB: all of them are three times the bound.
  const limit = 300_000
  const store = await machine.open({ tables, memtableSpaceBytes: limit, commitlogSegmentBytes: 256 << 10 })
  let largest = 0
  let waits = 0
  for (let number = 0; number < 400; number++) {
    const table = tables[(number * 37) % tables.length]
    const applied = store.apply(mutationOf({ key: `k${number}`, ...(table === undefined ? {} : { table }), rows: [{ clustering: 1, timestamp: 1, marker: true }] }), "client", null)
    if (applied instanceof Promise) {
      waits++
      await machine.settle(applied)
    }
    largest = Math.max(largest, tables.reduce((sum, { id }) => sum + store.stats(id).memtableBytes, 0))
  }
  expect(waits).toBeGreaterThan(0)
  expect(largest).toBeLessThanOrEqual(2 * limit + 20_000)
  await machine.settle(store.close())
})

test("ignore: a chunk that the disk does not take goes to a new segment, and nothing is missing", async () => {
  const machine = new Machine()
  const told: Error[] = []
  const options = { commitFailurePolicy: "ignore" } as const
  let store = await machine.open(options, { logFailed: (error) => told.push(error) })
  put(store, simplePut("k", 1, 1, "v"))
  store.writeOut()
  put(store, simplePut("k", 2, 1, "v"))
  const hold = store.hold(store.lastPosition())
  machine.disk.failNext("write", "EIO", LOG)
  store.writeOut()
  expect(told[0]).toBeInstanceOf(CommitLogError)
  expect(logs(machine)).toEqual([segmentName(1), segmentName(2)])
  put(store, simplePut("k", 3, 1, "v"))
  const found = values(store)
  // What was to be kept of the old segment is in the new one: neither goes.
  await machine.settle(store.flush())
  expect(logs(machine)).toEqual([segmentName(1), segmentName(2)])
  hold.release()
  machine.kill()
  store = await machine.open(options)
  expect(values(store)).toEqual(found)
  await machine.settle(store.close())
})

test("ignore: when a new segment does not help, who acknowledges is told, and the next writes are tried again", async () => {
  const machine = new Machine()
  const options = { commitFailurePolicy: "ignore", commitlogSync: "batch" } as const
  let store = await machine.open(options)
  const first = put(store, simplePut("k", 1, 1, "v"))
  await machine.pass(10)
  const lost = put(store, simplePut("k", 2, 1, "v"))
  let refusals = 0
  machine.disk.onOperation = ({ kind, path }) => {
    if (kind !== "write" || !path.startsWith(LOG)) return
    refusals++
    throw new DiskError("EIO", path, kind)
  }
  expect(() => store.writeOut()).toThrow(CommitLogError)
  // Everybody who acknowledges in this turn.
  expect(() => store.writeOut()).toThrow(CommitLogError)
  expect(refusals).toBe(2)
  machine.disk.onOperation = null
  // Who only wants to know when what there is is durable waits for the next write, and nothing spins meanwhile.
  let isPatientTold = false
  store.onDurable(store.lastPosition(), () => {
    isPatientTold = true
  })
  const syncs = countSyncs(machine)
  await machine.pass(10)
  expect(syncs.length).toBeLessThan(3)
  expect(isPatientTold).toBe(false)
  const third = put(store, simplePut("k", 3, 1, "v"))
  await machine.pass(10)
  expect([first.state, third.state, isPatientTold]).toEqual(["acknowledged", "acknowledged", true])
  expect(lost.state).toBeInstanceOf(CommitLogError)
  machine.kill()
  store = await machine.open(options)
  expect(values(store).map((line) => line[0])).toEqual(["1", "3"])
  await machine.settle(store.close())
})

test("ignore: after a sync that failed the next one writes again what may be lost", async () => {
  for (let seed = 0; seed < 10; seed++) {
    const machine = new Machine(seed)
    const options = { commitFailurePolicy: "ignore", commitlogSync: "batch", commitlogSyncPeriodMs: 20 } as const
    let store = await machine.open(options)
    machine.disk.failNext("sync", "EIO", LOG)
    const told = put(store, simplePut("k", 1, 1, "v"))
    let patient = false
    store.onDurable(store.lastPosition(), () => {
      patient = true
    })
    await machine.pass(5)
    expect(told.state).toBeInstanceOf(CommitLogError)
    expect(patient).toBe(false)
    const next = put(store, simplePut("k", 2, 1, "v"))
    await machine.pass(100)
    expect([next.state, patient]).toEqual(["acknowledged", true])
    machine.losePower()
    store = await machine.open(options)
    expect(values(store).length).toBe(2)
    await machine.settle(store.close())
  }
})

test("ignore: what is not damaged of a log is replayed, and the damage told with file and offset", async () => {
  const machine = new Machine()
  let store = await machine.open()
  for (let number = 1; number <= 6; number++) {
    put(store, simplePut("k", number, 1, "v"))
    const durable = new Promise<void>((resolve) => store.onDurable(store.lastPosition(), resolve))
    await machine.settle(durable)
  }
  machine.kill()
  const path = `${LOG}/${segmentName(1)}`
  const third = chunkStarts(machine.disk.contents(path), 1)[2] as number
  machine.disk.corrupt(path, third + 40)
  await expect(machine.open()).rejects.toThrow(`${path} at offset ${third}`)
  machine.kill()
  const told: Error[] = []
  store = await machine.open({ commitFailurePolicy: "ignore" }, { logFailed: (error) => told.push(error) })
  expect(told[0]).toBeInstanceOf(CorruptFileError)
  expect(values(store).map((line) => line[0])).toEqual(["1", "2", "4", "5", "6"])
  await machine.settle(store.flush())
  machine.kill()
  store = await machine.open()
  expect(values(store).length).toBe(5)
  await machine.settle(store.close())
})

test.each([["EIO", "stop"], ["EIO", "best_effort"], ["damage", "best_effort"]] as const)("a data file that cannot be read is told (%s, %s)", async (fault, diskFailurePolicy) => {
  const machine = new Machine()
  const told: Error[] = []
  const store = await machine.open({ diskFailurePolicy }, { diskFailed: (error) => told.push(error) })
  put(store, simplePut("k", 1, 1, "flushed"))
  await machine.settle(store.flush())
  put(store, simplePut("k", 2, 1, "kept"))
  const path = `data/tables/1000/${machine.disk.list("data/tables/1000")[0] as string}`
  if (fault === "EIO") machine.disk.failNext("read", "EIO", path)
  // Behind the header: the block of rows.
  else for (let at = 20; at < 60; at++) machine.disk.corrupt(path, at)
  const reading = (): Promise<number> => machine.settle(rowCount(store))
  await expect(reading()).rejects.toThrow(path)
  expect(told.length).toBe(1)
  expect(await reading()).toBe(diskFailurePolicy === "best_effort" ? 1 : 2)
  expect(store.stats(TABLE.id).sstables).toBe(diskFailurePolicy === "best_effort" ? 0 : 1)
  await machine.settle(store.close())
})

test.each(["stop", "stop_paranoid", "die", "best_effort", "ignore"] as const)("a data file that is damaged at start: %s", async (diskFailurePolicy) => {
  const machine = new Machine()
  const first = await machine.open()
  put(first, simplePut("k", 1, 1, "flushed"))
  await machine.settle(first.flush())
  put(first, simplePut("k", 2, 1, "kept"))
  first.writeOut()
  machine.kill()
  const path = `data/tables/1000/${machine.disk.list("data/tables/1000")[0] as string}`
  const end = machine.disk.contents(path).length - 1
  machine.disk.corrupt(path, end)
  const told: Error[] = []
  const opening = machine.open({ diskFailurePolicy }, { diskFailed: (error) => told.push(error) })
  if (diskFailurePolicy !== "best_effort" && diskFailurePolicy !== "ignore") {
    await expect(opening).rejects.toThrow(path)
    return
  }
  const store = await opening
  expect(told[0]).toBeInstanceOf(CorruptFileError)
  expect(await rowCount(store)).toBe(1)
  await machine.settle(store.flush())
  expect(await rowCount(store)).toBe(1)
  machine.kill()
  // The file is still live: mended, it is back.
  machine.disk.corrupt(path, end)
  expect(await rowCount(await machine.open())).toBe(2)
})
