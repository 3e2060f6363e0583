import { expect, test } from "vitest"
import { crc32 } from "../../runtime/pure.ts"
import { DiskError } from "../../runtime/disk.ts"
import { CHUNK_HEADER_BYTES, SEGMENT_HEADER_BYTES, segmentName } from "./commit-log-format.ts"
import { CorruptFileError, DiskFullError, UnknownTableError } from "../errors.ts"
import type { Store } from "../store.ts"
import { LOG, Machine, TABLE, chunkStarts, logs, rowCount, values } from "../testing-machine.ts"
import { mutationOf, simplePut, testTable } from "../testing.ts"

/** A store with ten chunks of one record each in its log, killed. */
async function tenChunks(machine: Machine): Promise<Buffer> {
  const store = await machine.open()
  for (let number = 1; number <= 10; number++) {
    store.apply(simplePut("k", number, number, `v${number}`), "client", null)
    store.writeOut()
  }
  machine.kill()
  return Buffer.from(machine.disk.contents(`${LOG}/${segmentName(1)}`))
}

test("a log that ends anywhere is cut behind its last whole chunk, and written on", async () => {
  const whole = await tenChunks(new Machine())
  const starts = chunkStarts(whole, 1)
  expect(starts.length).toBe(11)
  for (let length = 0; length <= (starts.at(-1) as number) + 14; length += 7) {
    const machine = new Machine()
    await tenChunks(machine)
    machine.write(`${LOG}/${segmentName(1)}`, whole.subarray(0, length))
    const expected = starts.filter((start) => start <= length).length - 1
    let store = await machine.open()
    expect(values(store).length, `${length} bytes`).toBe(Math.max(expected, 0))
    store.apply(simplePut("k", 100, 1, "more"), "client", null)
    await machine.settle(store.close())
    machine.kill()
    store = await machine.open()
    expect(values(store).length, `${length} bytes, again`).toBe(Math.max(expected, 0) + 1)
    await machine.settle(store.close())
  }
})

test("a damaged chunk in front of one that knows it was synced is corruption, with file and offset", async () => {
  const machine = new Machine()
  let store = await machine.open()
  for (let number = 1; number <= 6; number++) {
    const position = store.apply(simplePut("k", number, number, `v${number}`), "client", null)
    if (position instanceof Promise) throw new Error("the write waits")
    store.writeOut()
    if (number === 4) await machine.settle(new Promise<void>((resolve) => store.onDurable(position, resolve)))
  }
  machine.kill()
  const path = `${LOG}/${segmentName(1)}`
  const whole = Buffer.from(machine.disk.contents(path))
  const starts = chunkStarts(whole, 1)
  for (let at = SEGMENT_HEADER_BYTES; at < (starts.at(-1) as number); at += 11) {
    machine.write(path, whole)
    machine.disk.corrupt(path, at)
    const chunk = starts.findLast((start) => start <= at) as number
    const opening = machine.open()
    if (starts.indexOf(chunk) < 4) {
      const error: unknown = await opening.then(() => null, (thrown: unknown) => thrown)
      expect(error, `offset ${at}`).toBeInstanceOf(CorruptFileError)
      expect((error as CorruptFileError).path).toBe(path)
      expect((error as CorruptFileError).offset).toBe(chunk)
    } else {
      // Behind the last place that is known to be synced it is a torn end.
      store = await opening
      expect(values(store).length).toBe(starts.indexOf(chunk))
      await machine.settle(store.close())
      for (const name of machine.disk.list(LOG)) if (name !== segmentName(1)) machine.disk.remove(`${LOG}/${name}`)
    }
    machine.kill()
  }
})

test("a segment that lost its end is noticed by the next one", async () => {
  const machine = new Machine()
  let store = await machine.open({ commitlogSegmentBytes: 600 })
  for (let number = 1; number <= 12; number++) {
    store.apply(simplePut("k", number, number, `v${number}`), "client", null)
    store.writeOut()
  }
  machine.kill()
  expect(machine.disk.list(LOG).length).toBeGreaterThan(1)
  const first = Buffer.from(machine.disk.contents(`${LOG}/${segmentName(1)}`))
  const starts = chunkStarts(first, 1)
  machine.write(`${LOG}/${segmentName(1)}`, first.subarray(0, starts.at(-2)))
  store = await machine.open({ commitlogSegmentBytes: 600 })
  expect(values(store).length).toBe(starts.length - 2)
  expect(machine.disk.list(LOG)).toEqual([segmentName(1)])
  await machine.settle(store.close())
})

test("a segment that is missing is the end of the log when it was never synced, and damage when it was", async () => {
  for (const isSynced of [false, true]) {
    const machine = new Machine()
    let store = await machine.open({ commitlogSegmentBytes: 600 })
    for (let number = 1; number <= 20; number++) {
      store.apply(simplePut("k", number, number, `v${number}`), "client", null)
      store.writeOut()
      if (isSynced && number === 19) await machine.settle(new Promise<void>((resolve) => store.onDurable(store.lastPosition(), resolve)))
    }
    machine.kill()
    expect(logs(machine).length).toBeGreaterThan(3)
    const inFirst = chunkStarts(machine.disk.contents(`${LOG}/${segmentName(1)}`), 1).length - 2
    machine.disk.remove(`${LOG}/${segmentName(2)}`)
    if (isSynced) {
      await expect(machine.open()).rejects.toThrow(`${LOG}/${segmentName(2)} at offset 0`)
      continue
    }
    store = await machine.open()
    expect(values(store).length).toBe(inFirst)
    expect(logs(machine)).toEqual([segmentName(1)])
    await machine.settle(store.close())
  }
})

test.each([[3, 24], [1, 20]])("version %i of the log is refused by name", async (version, crcAt) => {
  const machine = new Machine()
  const bytes = await tenChunks(machine)
  bytes[4] = version
  bytes.writeUInt32BE(crc32(bytes.subarray(0, crcAt)), crcAt)
  machine.write(`${LOG}/${segmentName(1)}`, bytes)
  await expect(machine.open()).rejects.toThrow(`expected commit log version 2, found ${version}`)
})

test("records of dropped tables are passed over, of unknown ones refused", async () => {
  const machine = new Machine()
  const other = testTable({ id: 1001 })
  let store = await machine.open({ tables: [TABLE, other] })
  store.apply(mutationOf({ key: "k", table: other, rows: [{ clustering: 1, timestamp: 1, marker: true }] }), "client", null)
  store.apply(simplePut("k", 1, 1, "v"), "client", null)
  store.writeOut()
  machine.kill()
  await expect(machine.open({ tables: [TABLE], nextTableId: 1001 })).rejects.toThrow(UnknownTableError)
  machine.kill()
  store = await machine.open({ tables: [TABLE], nextTableId: 1002 })
  expect(values(store)).toEqual(["1 marker@1 3=v@1"])
  await machine.settle(store.close())
})

test("a table dropped while the store runs is known to have been, whatever the caller says later", async () => {
  const machine = new Machine()
  const other = testTable({ id: 1001 })
  let store = await machine.open({ tables: [TABLE, other] })
  store.apply(mutationOf({ key: "k", table: other, rows: [{ clustering: 1, timestamp: 1, marker: true }] }), "client", null)
  await machine.settle(store.flush())
  store.apply(mutationOf({ key: "k", table: other, rows: [{ clustering: 2, timestamp: 1, marker: true }] }), "client", null)
  store.setTables([TABLE])
  expect(() => store.apply(mutationOf({ key: "k", table: other, rows: [{ clustering: 3, timestamp: 1, marker: true }] }), "client", null)).toThrow(UnknownTableError)
  await machine.pass(100)
  expect(machine.disk.exists("data/tables/1001")).toBe(false)
  machine.kill()
  store = await machine.open({ tables: [TABLE], nextTableId: 1001 })
  await machine.settle(store.close())
})

test("whoever waits for durability is called in order, by syncs at least 2 ms apart, and only when it is true", async () => {
  const machine = new Machine()
  const store = await machine.open()
  const called: number[] = []
  const syncs: number[] = []
  machine.disk.onOperation = ({ kind, path }) => {
    if (kind === "sync" && path.startsWith(LOG)) syncs.push(machine.simulation.scheduler.nowMicros)
  }
  for (let number = 0; number < 20; number++) {
    const position = store.apply(simplePut("k", number, 1, "v"), "client", null)
    if (position instanceof Promise) throw new Error("the write waits")
    store.onDurable(position, () => called.push(number))
    expect(called).not.toContain(number)
    await machine.pass(0.5)
  }
  await machine.pass(20)
  expect(called).toEqual([...Array(20).keys()])
  expect(syncs.length).toBeGreaterThan(2)
  for (let index = 1; index < syncs.length; index++) expect((syncs[index] as number) - (syncs[index - 1] as number)).toBeGreaterThanOrEqual(2000)
  machine.disk.onOperation = null
  await machine.settle(store.close())
})

test("without anybody waiting the log is synced once per period, and not when nothing was written", async () => {
  const machine = new Machine()
  const store = await machine.open({ commitlogSyncPeriodMs: 100 })
  let syncs = 0
  machine.disk.onOperation = ({ kind, path }) => {
    if (kind === "sync" && path.startsWith(LOG)) syncs++
  }
  store.apply(simplePut("k", 1, 1, "v"), "client", null)
  await machine.pass(1000)
  expect(syncs).toBe(1)
  store.apply(simplePut("k", 1, 2, "v"), "client", null)
  await machine.pass(50)
  expect(syncs).toBe(1)
  await machine.pass(100)
  expect(syncs).toBe(2)
  machine.disk.onOperation = null
  await machine.settle(store.close())
})

test("segments go when what is in them is flushed, but not while they are held", async () => {
  const machine = new Machine()
  const store = await machine.open({ commitlogSegmentBytes: 300 })
  const holds = []
  for (let number = 1; number <= 12; number++) {
    const position = store.apply(simplePut("k", number, number, `v${number}`), "client", null)
    if (position instanceof Promise) throw new Error("the write waits")
    store.writeOut()
    if (position.segment === 2) holds.push(store.hold(position))
  }
  const before = logs(machine)
  expect(before.length).toBeGreaterThan(3)
  await machine.settle(store.flush())
  expect(logs(machine)).toEqual([segmentName(2), before.at(-1)])
  for (const hold of holds) {
    hold.release()
    hold.release()
  }
  store.apply(simplePut("k", 1, 50, "v"), "client", null)
  await machine.settle(store.flush())
  expect(machine.disk.list(LOG)).not.toContain(segmentName(2))
  await machine.settle(store.close())
})

test("after a failed write nothing is acknowledged any more, and a restart finds what was", async () => {
  const machine = new Machine()
  let store = await machine.open()
  store.apply(simplePut("k", 1, 1, "kept"), "client", null)
  store.writeOut()
  machine.disk.failNext("write", "ENOSPC", LOG)
  store.apply(simplePut("k", 2, 1, "lost"), "client", null)
  expect(() => store.writeOut()).toThrow("commit log failed in segment 1")
  expect(() => store.apply(simplePut("k", 3, 1, "refused"), "client", null)).toThrow("commit log failed")
  await machine.settle(store.close())
  machine.kill()
  store = await machine.open()
  expect(values(store)).toEqual(["1 marker@1 3=kept@1"])
  await machine.settle(store.close())
})

test("after a failed sync nobody is told that anything is durable", async () => {
  const machine = new Machine()
  const store = await machine.open()
  machine.disk.failNext("sync", "EIO", LOG)
  const position = store.apply(simplePut("k", 1, 1, "v"), "client", null)
  if (position instanceof Promise) throw new Error("the write waits")
  let told = false
  store.onDurable(position, () => {
    told = true
  })
  await machine.pass(100)
  expect(told).toBe(false)
  expect(() => store.apply(simplePut("k", 2, 1, "v"), "client", null)).toThrow("commit log failed")
  await machine.settle(store.close())
})

test("a flush that fails is reported and tried again, and writes wait while memtables are overfull", async () => {
  const machine = new Machine()
  const store = await machine.open({ memtableSpaceBytes: 100_000, commitlogSegmentBytes: 1 << 20 })
  for (let count = 0; count < 3; count++) machine.disk.failNext("write", "EIO", "tables")
  const { number, waiting } = await writeUntilItWaits(machine, store)
  await machine.settle(waiting)
  expect(machine.failures[0]).toBeInstanceOf(DiskError)
  expect(machine.failures.length).toBe(3)
  expect(await rowCount(store)).toBe(number)
  await machine.settle(store.close())
})

/** Writes rows of some 100 bytes until the store asks to wait for room. */
async function writeUntilItWaits(machine: Machine, store: Store): Promise<{ number: number; waiting: Promise<unknown> }> {
  for (let number = 1; number < 10_000; number++) {
    const result = store.apply(simplePut(`k${number}`, number, 1, "v".repeat(100)), "client", null)
    if (result instanceof Promise) return { number, waiting: result }
    if (number % 50 === 0) await machine.pass(1)
  }
  throw new Error("no write waits")
}

test("while a full disk takes no flush, writes that find no room in memory are refused, and taken again when there is space", async () => {
  const machine = new Machine()
  const told: Error[] = []
  const store = await machine.open({ memtableSpaceBytes: 100_000, commitlogSegmentBytes: 4 << 20 }, { logFailed: (error) => told.push(error) })
  machine.disk.onOperation = ({ kind, path }) => {
    if (kind === "write" && path.startsWith("data/tables")) throw new DiskError("ENOSPC", path, kind)
  }
  const { number, waiting } = await writeUntilItWaits(machine, store)
  await expect(machine.settle(waiting)).rejects.toThrow(DiskFullError)
  await expect(store.apply(simplePut("k", 1, 1, "v"), "client", null)).rejects.toThrow("no space left on the disk")
  expect(told.length).toBe(1)
  expect(told[0]).toBeInstanceOf(DiskFullError)
  expect(await rowCount(store)).toBe(number - 1)
  machine.disk.onOperation = null
  await machine.pass(1100)
  const taken = store.apply(simplePut("k", 2, 1, "v"), "client", null)
  if (taken instanceof Promise) await machine.settle(taken)
  expect(await rowCount(store)).toBe(number)
  await machine.settle(store.close())
})

test("memtables that the log filled above their bound are flushed, and writes go on", async () => {
  const machine = new Machine()
  const store = await machine.open()
  for (let number = 0; number < 1000; number++) store.apply(simplePut(`k${number}`, number, 1, "v".repeat(1000)), "client", null)
  machine.kill()
  const again = await machine.open({ memtableSpaceBytes: 100_000 })
  await machine.settle(Promise.resolve(again.apply(simplePut("k", 1, 1, "v"), "client", null)))
  expect(again.stats(TABLE.id).sstables).toBe(1)
  expect(values(again).length).toBe(1)
  await machine.settle(again.close())
})

test("tables that keep the log from becoming shorter are flushed", async () => {
  const machine = new Machine()
  const quiet = testTable({ id: 1001 })
  const store = await machine.open({ tables: [TABLE, quiet], commitlogSegmentBytes: 2000, commitlogTotalBytes: 20_000 })
  store.apply(mutationOf({ key: "k", table: quiet, rows: [{ clustering: 1, timestamp: 1, marker: true }] }), "client", null)
  for (let number = 0; number < 2000; number++) {
    store.apply(simplePut("k", number % 10, number, "v".repeat(50)), "client", null)
    store.writeOut()
    await machine.pass(1)
  }
  await machine.pass(1000)
  expect(machine.disk.list(LOG).length).toBeLessThanOrEqual(13)
  expect(store.stats(1001).sstables).toBe(1)
  await machine.settle(store.close())
})

test("the records of a turn are one chunk, written at its end when nobody asked before", async () => {
  const machine = new Machine()
  const store = await machine.open()
  for (let number = 0; number < 5; number++) store.apply(simplePut("k", number, 1, "v"), "client", null)
  expect(machine.disk.exists(`${LOG}/${segmentName(1)}`)).toBe(true)
  const content = (): Buffer => Buffer.from(machine.disk.contents(`${LOG}/${segmentName(1)}`))
  expect(chunkStarts(content(), 1)).toEqual([SEGMENT_HEADER_BYTES])
  await machine.pass(0.001)
  const starts = chunkStarts(content(), 1)
  expect(starts.length).toBe(2)
  expect(starts[1]).toBeGreaterThan(SEGMENT_HEADER_BYTES + CHUNK_HEADER_BYTES)
  expect(content().subarray(starts[1]).equals(Buffer.alloc(content().length - (starts[1] as number)))).toBe(true)
  await machine.settle(store.close())
})
