import { expect, test } from "vitest"
import { CorruptionError } from "../data/bytes.ts"
import { SimulatedClock } from "../runtime/simulated/simulated-clock.ts"
import { SimulatedDisk } from "../runtime/simulated/simulated-disk.ts"
import { SimulatedRandom } from "../runtime/simulated/simulated-random.ts"
import { decodeStateFile, encodeStateFile, makeDurableDirectory, readStateFile, writeStateFile } from "./state-file.ts"

test("round trip, and every damaged byte and every cut is noticed", () => {
  const file = encodeStateFile({ epoch: 3, name: "ä" })
  expect(decodeStateFile(file)).toEqual({ epoch: 3, name: "ä" })
  for (let size = 0; size < file.length; size++) expect(() => decodeStateFile(file.subarray(0, size))).toThrow(CorruptionError)
  for (let at = 0; at < file.length; at++) {
    // The reserved field carries nothing.
    if (at === 6 || at === 7) continue
    const damaged = Buffer.from(file)
    damaged[at] = (damaged[at] as number) ^ 0x10
    expect(() => decodeStateFile(damaged), `byte ${at}`).toThrow(CorruptionError)
  }
})

test("a newer version is refused by name", () => {
  const file = encodeStateFile({})
  file.writeUInt16BE(2, 4)
  expect(() => decodeStateFile(file)).toThrow(/state file version 1, found 2/)
})

test("a loss of power at any disk operation leaves the old or the new content", async () => {
  for (let operation = 1; ; operation++) {
    const clock = new SimulatedClock()
    const disk = new SimulatedDisk({ clock })
    let done = ""
    const script = async (): Promise<void> => {
      await makeDurableDirectory(disk, "top/d")
      await writeStateFile(disk, "top/d", "state", "old")
      done = "old"
      await writeStateFile(disk, "top/d", "state", "new")
      done = "new"
    }
    disk.crashAt(operation)
    let ended = false
    let crashed = false
    script().then(
      () => (ended = true),
      () => (crashed = true),
    )
    await clock.run(() => ended || crashed, { maxMs: 10_000 }).catch(() => (crashed = true))
    disk.powerLoss(new SimulatedRandom(operation))
    const found = readStateFile(disk, "top/d/state")
    expect([done === "" ? null : "old", done === "" ? "old" : "new", done]).toContain(found)
    if (ended) return
    expect(operation).toBeLessThan(100)
  }
})
