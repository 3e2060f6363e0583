// The files of the log alone: spares.
import { expect, test } from "vitest"
import { SimulatedClock } from "../../runtime/simulated/simulated-clock.ts"
import { SimulatedDisk } from "../../runtime/simulated/simulated-disk.ts"
import { SegmentFiles } from "./commit-log-segments.ts"

function header(segment: number): { segment: number; generation: number; previous: number; previousBytes: number } {
  return { segment, generation: 1, previous: 0, previousBytes: 0 }
}

// Found by crashes at every operation: the second rename came too late for the sync of names, and was taken for safe with it.
test("a spare is used once its name is durable, not with a sync of names that began before it", async () => {
  const clock = new SimulatedClock()
  const disk = new SimulatedDisk({ clock })
  disk.makeDirectory("log")
  const files = new SegmentFiles(disk, "log", 1000)
  const [first, second] = [files.create(header(1), null), files.create(header(2), null)]
  files.release(first, true)
  // Its sync of names is under way.
  files.release(second, true)
  expect(disk.list("log")).toEqual(["0000000001.spare", "0000000002.spare"])
  files.create(header(3), null)
  expect(disk.list("log")).toEqual(["0000000001.spare", "0000000002.spare", "0000000003.log"])
  let syncs = 0
  disk.onOperation = ({ kind }) => {
    if (kind === "syncDirectory") syncs++
  }
  await clock.run(() => syncs === 1)
  // The first sync has ended, the second has begun.
  files.create(header(4), null)
  files.create(header(5), null)
  expect(disk.list("log")).toEqual(["0000000002.spare", "0000000003.log", "0000000004.log", "0000000005.log"])
  await clock.run(1000)
  files.create(header(6), null)
  expect(disk.list("log")).toEqual(["0000000003.log", "0000000004.log", "0000000005.log", "0000000006.log"])
  expect(files.spareCount).toBe(0)
})

test("spares whose names cannot be made safe are removed, and a segment that cannot be made leaves nothing", async () => {
  const clock = new SimulatedClock()
  const disk = new SimulatedDisk({ clock })
  disk.makeDirectory("log")
  const files = new SegmentFiles(disk, "log", 1000)
  disk.failNext("syncDirectory", "EIO")
  files.release(files.create(header(1), null), true)
  await clock.run(1000)
  expect([disk.list("log"), files.spareCount]).toEqual([[], 0])
  disk.failNext("write", "ENOSPC")
  expect(() => files.create(header(2), null)).toThrow("ENOSPC")
  expect(disk.list("log")).toEqual([])
})

test("a step that does not fit the disk is made as large as needed", () => {
  const disk = new SimulatedDisk({ clock: new SimulatedClock() })
  disk.makeDirectory("log")
  const files = new SegmentFiles(disk, "log", 1 << 20)
  const segment = files.create(header(1), null)
  files.reserve(segment, 100)
  expect(segment.roomTo).toBeGreaterThan(60_000)
  const full = segment.roomTo + 1000
  disk.capacityBytes = full
  files.reserve(segment, full)
  expect(segment.roomTo).toBe(full)
  expect(() => files.reserve(segment, full + 1)).toThrow("ENOSPC")
})
