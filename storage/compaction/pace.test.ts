// A compaction keeps to its rate, also when that changes, and stops when it is told to.
import { expect, test } from "vitest"
import { SimulatedClock } from "../../runtime/simulated/simulated-clock.ts"
import { SimulatedDisk } from "../../runtime/simulated/simulated-disk.ts"
import { CompactionControl, Pace } from "./pace.ts"

const MIB = 1 << 20

async function rig(): Promise<{ clock: SimulatedClock; control: CompactionControl; pace: Pace; read: (from: number, to: number, step: number) => Promise<number> }> {
  const clock = new SimulatedClock()
  const disk = new SimulatedDisk({ clock })
  const content = Buffer.alloc(4 * MIB)
  for (let at = 0; at < content.length; at += 4) content.writeUInt32BE((at * 7919) >>> 0, at)
  const file = disk.appendFile("file")
  file.write(content)
  file.close()
  const control = new CompactionControl()
  const pace = new Pace(clock, new CompactionControl(control.shared))
  const counted = pace.counting(disk).readFile("file")
  const read = async (from: number, to: number, step: number): Promise<number> => {
    const startMs = clock.monotonicMs()
    for (let at = from; at < to; at += step) {
      const into = Buffer.alloc(Math.min(step, to - at))
      expect(counted.readNow(into, at)).toBe(into.length)
      expect(into.equals(content.subarray(at, at + into.length))).toBe(true)
      let done = false
      const resting = pace.rest().finally(() => {
        done = true
      })
      await clock.run(() => done)
      await resting
    }
    return clock.monotonicMs() - startMs
  }
  return { clock, control, pace, read }
}

test("what is read keeps to the rate, whatever it is", async () => {
  const { control, read } = await rig()
  expect(await read(0, MIB, 5000)).toBeLessThan(1)
  // Within what is read ahead: a quarter of a MiB, counted when it is read.
  control.bytesPerSecond = 2 * MIB
  expect(Math.abs((await read(MIB, 2 * MIB, 5000)) - 500)).toBeLessThan(140)
  control.bytesPerSecond = MIB
  expect(Math.abs((await read(2 * MIB, 4 * MIB, 100_000)) - 2000)).toBeLessThan(400)
  expect(control.bytesRead).toBeGreaterThanOrEqual(4 * MIB)
})

test("reads that do not follow on each other, and the end of the file", async () => {
  const { read } = await rig()
  await read(4 * MIB - 100, 4 * MIB, 100)
  await read(0, 8, 8)
  await read(8, 300_000, 4096)
  await read(2 * MIB, 2 * MIB + 50, 50)
  await read(300_000, 700_000, 300_000)
  await read(4 * MIB - 3000, 4 * MIB, 700)
})

test("it stops when it is told to", async () => {
  const { control, pace } = await rig()
  control.stop()
  await expect(pace.rest()).rejects.toThrow("the compaction was stopped")
})
