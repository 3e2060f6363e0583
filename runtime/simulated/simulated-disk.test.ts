// What only the simulated disk can do: die, lose power, crash, refuse. What it shares with the real one: ../disk.test.ts.
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { DiskError } from "../disk.ts"
import type { Disk, DiskDone } from "../disk.ts"
import { SimulatedClock } from "./simulated-clock.ts"
import { SimulatedCrash } from "./simulated-crash.ts"
import { SimulatedDisk } from "./simulated-disk.ts"
import { SimulatedRandom } from "./simulated-random.ts"

interface Subject {
  readonly clock: SimulatedClock
  readonly disk: SimulatedDisk
  readonly at: string
  /** Waits for the call of `done`. */
  finish(start: (done: DiskDone) => void): Promise<{ error: DiskError | null }>
}

function simulated(): Subject {
  const clock = new SimulatedClock()
  const disk = new SimulatedDisk({ clock })
  disk.makeDirectory("/data")
  return {
    clock, disk, at: "/data",
    async finish(start) {
      const results: (DiskError | null)[] = []
      start((error) => results.push(error))
      expect(results).toEqual([])
      await clock.run(() => results.length > 0)
      return { error: results[0] ?? null }
    },
  }
}

function write(disk: Disk, at: string, text: string): void {
  const file = disk.appendFile(at)
  file.write(Buffer.from(text))
  file.close()
}

function read(disk: Disk, at: string): string {
  const file = disk.readFile(at)
  const into = Buffer.alloc(file.size)
  expect(file.readNow(into, 0)).toBe(file.size)
  file.close()
  return into.toString()
}

function codeOf(fn: () => unknown): string {
  try {
    fn()
  } catch (error) {
    if (error instanceof DiskError) return error.code
    throw error
  }
  return "none"
}

describe("simulated disk: the process is killed", () => {
  it("keeps everything written, and ends handles, locks and callbacks", async () => {
    const { disk, at, clock } = simulated()
    const file = disk.appendFile(`${at}/log`)
    const lock = disk.lock(`${at}/lock`)
    file.write(Buffer.from("written"))
    let called = 0
    file.sync(() => called++)
    disk.syncDirectory(at, () => called++)
    disk.readFile(`${at}/log`).read(Buffer.alloc(3), 0, () => called++)
    disk.kill()
    await clock.run(100)
    expect(called).toBe(0)
    expect(read(disk, `${at}/log`)).toBe("written")
    expect(() => file.write(Buffer.from("x"))).toThrow(SimulatedCrash)
    lock.release()
    expect(disk.exists(`${at}/lock`)).toBe(true)
    disk.lock(`${at}/lock`)
    expect(codeOf(() => disk.lock(`${at}/lock`))).toBe("EBUSY")
  })
})

/** The outcomes of many power losses of the same history. */
async function outcomes(history: (subject: Subject) => Promise<void>, look: (disk: SimulatedDisk) => string): Promise<Set<string>> {
  const seen = new Set<string>()
  for (let seed = 0; seed < 200; seed++) {
    const subject = simulated()
    await subject.finish((done) => subject.disk.syncDirectory("/", done))
    await history(subject)
    subject.disk.powerLoss(new SimulatedRandom(seed))
    seen.add(look(subject.disk))
    // What a power loss has left is safe against the next one.
    const left = look(subject.disk)
    subject.disk.powerLoss(new SimulatedRandom(seed + 1))
    expect(look(subject.disk)).toBe(left)
  }
  return seen
}

function look(disk: SimulatedDisk): string {
  return disk.list("/data").map((name) => `${name}=${disk.contents(`/data/${name}`).toString("latin1")}`).join(" ")
}

describe("simulated disk: the machine loses power", () => {
  it("keeps what was synced, content and name", async () => {
    const seen = await outcomes(async ({ disk, finish }) => {
      const file = disk.appendFile("/data/log")
      file.write(Buffer.from("safe"))
      await finish((done) => file.sync(done))
      await finish((done) => disk.syncDirectory("/data", done))
    }, look)
    expect(seen).toEqual(new Set(["log=safe"]))
  })

  it("loses the name of a synced file whose directory was not", async () => {
    const seen = await outcomes(async ({ disk, finish }) => {
      const file = disk.appendFile("/data/log")
      file.write(Buffer.from("safe"))
      await finish((done) => file.sync(done))
    }, look)
    expect(seen).toEqual(new Set(["", "log=safe"]))
  })

  it("keeps any part of what was appended since the sync, and the bytes of it may be wrong", async () => {
    const seen = await outcomes(async ({ disk, finish }) => {
      const file = disk.appendFile("/data/log")
      file.write(Buffer.from("safe"))
      await finish((done) => file.sync(done))
      await finish((done) => disk.syncDirectory("/data", done))
      file.write(Buffer.from("123"))
      file.write(Buffer.from("456"))
    }, look)
    for (const outcome of ["log=safe", "log=safe1", "log=safe12345", "log=safe123456", "log=safe\0\0\0"]) expect(seen).toContain(outcome)
    for (const outcome of seen) expect(outcome.startsWith("log=safe") && outcome.length <= "log=safe123456".length).toBe(true)
  })

  it("makes safe what was written before the sync began, not what came after", async () => {
    const seen = await outcomes(async ({ disk, finish }) => {
      const file = disk.appendFile("/data/log")
      await finish((done) => disk.syncDirectory("/data", done))
      file.write(Buffer.from("before"))
      await finish((done) => {
        file.sync(done)
        file.write(Buffer.from("after"))
      })
    }, look)
    expect(seen).toContain("log=before")
    expect(seen).toContain("log=beforeafter")
    for (const outcome of seen) expect(outcome.startsWith("log=before")).toBe(true)
  })

  it("makes safe the names there were when the directory sync began", async () => {
    const seen = await outcomes(async ({ disk, finish }) => {
      disk.appendFile("/data/before").close()
      await finish((done) => {
        disk.syncDirectory("/data", done)
        disk.appendFile("/data/during").close()
      })
    }, look)
    expect(seen).toEqual(new Set(["before=", "before= during="]))
  })

  it("takes no sync that was under way when the file was cut for one of what came after", async () => {
    const seen = await outcomes(async ({ disk, finish }) => {
      const file = disk.appendFile("/data/log")
      await finish((done) => disk.syncDirectory("/data", done))
      file.write(Buffer.from("0123456789"))
      await finish((done) => {
        file.sync(done)
        disk.appendFile("/data/log", { truncateTo: 2 }).write(Buffer.from("new"))
      })
    }, look)
    expect(seen).toContain("log=")
    expect(seen).toContain("log=01new")
    for (const outcome of seen) expect(outcome.length).toBeLessThanOrEqual("log=01new".length)
  })

  it("may undo a cut, and never keeps both the cut tail and what came instead", async () => {
    const seen = await outcomes(async ({ disk, finish }) => {
      write(disk, "/data/log", "0123456789")
      const file = disk.appendFile("/data/log")
      await finish((done) => file.sync(done))
      await finish((done) => disk.syncDirectory("/data", done))
      disk.appendFile("/data/log", { truncateTo: 6 })
      disk.appendFile("/data/log", { truncateTo: 4 }).write(Buffer.from("new"))
    }, look)
    expect(seen).toContain("log=0123456789")
    expect(seen).toContain("log=0123")
    expect(seen).toContain("log=0123new")
    for (const outcome of seen) expect(outcome === "log=0123456789" || outcome.length <= "log=0123new".length).toBe(true)
  })

  it("does a rename as a whole or not at all", async () => {
    const seen = await outcomes(async ({ disk, finish }) => {
      write(disk, "/data/current", "old")
      write(disk, "/data/draft", "new")
      const files = ["current", "draft"].map((name) => disk.appendFile(`/data/${name}`))
      for (const file of files) await finish((done) => file.sync(done))
      await finish((done) => disk.syncDirectory("/data", done))
      disk.rename("/data/draft", "/data/current")
    }, look)
    expect(seen).toEqual(new Set(["current=old draft=new", "current=new"]))
  })

  it("brings back a removed name that was not synced away, and loses unsynced names one by one", async () => {
    const seen = await outcomes(async ({ disk, finish }) => {
      write(disk, "/data/a", "")
      await finish((done) => disk.syncDirectory("/data", done))
      disk.remove("/data/a")
      write(disk, "/data/b", "")
    }, look)
    expect(seen).toEqual(new Set(["", "a=", "b=", "a= b="]))
  })

  it("keeps an operation only with those before it on the same name", async () => {
    const seen = await outcomes(async ({ disk }) => {
      write(disk, "/data/a", "")
      disk.rename("/data/a", "/data/b")
      disk.rename("/data/b", "/data/c")
    }, look)
    expect(seen).toEqual(new Set(["", "a=", "b=", "c="]))
  })

  it("makes safe with a directory what its changes build on elsewhere", async () => {
    const seen = await outcomes(async ({ disk, finish }) => {
      disk.makeDirectory("/tmp")
      await finish((done) => disk.syncDirectory("/", done))
      disk.appendFile("/tmp/a").close()
      disk.rename("/tmp/a", "/data/a")
      await finish((done) => disk.syncDirectory("/data", done))
    }, (disk) => `${look(disk)} | ${disk.list("/tmp").join(" ")}`)
    expect(seen).toEqual(new Set(["a= | "]))
  })

  it("loses a directory that its parent was not synced for, with all that is in it", async () => {
    const seen = await outcomes(async ({ disk, finish }) => {
      disk.makeDirectory("/data/sub")
      disk.appendFile("/data/sub/a").close()
      await finish((done) => disk.syncDirectory("/data/sub", done))
    }, (disk) => (disk.exists("/data/sub") ? disk.list("/data/sub").join(" ") : "gone"))
    expect(seen).toEqual(new Set(["gone", "a"]))
  })

  it("never loses a byte that was synced, whatever was done (law)", async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("write"), size: fc.integer({ min: 0, max: 1500 }) }),
      fc.record({ kind: fc.constant("sync") }),
      fc.record({ kind: fc.constant("reopen") }),
    )
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.integer(), async (steps, seed) => {
      const { disk, finish } = simulated()
      let file = disk.appendFile("/data/log")
      await finish((done) => disk.syncDirectory("/data", done))
      await finish((done) => disk.syncDirectory("/", done))
      let written = Buffer.alloc(0)
      let safe = 0
      for (const next of steps) {
        if (next.kind === "sync") {
          await finish((done) => file.sync(done))
          safe = written.length
        } else if (next.kind === "reopen") {
          file.close()
          file = disk.appendFile("/data/log")
        } else {
          const bytes = Buffer.alloc((next as { size: number }).size, written.length % 251)
          file.write(bytes)
          written = Buffer.concat([written, bytes])
        }
      }
      disk.powerLoss(new SimulatedRandom(seed))
      const left = disk.contents("/data/log")
      expect(left.length).toBeGreaterThanOrEqual(safe)
      expect(left.length).toBeLessThanOrEqual(written.length)
      expect(left.subarray(0, safe).equals(written.subarray(0, safe))).toBe(true)
    }), { numRuns: 150 })
  })
})

describe("simulated disk: faults", () => {
  it("refuses the next operation of a kind, once", async () => {
    const { disk, at, finish } = simulated()
    const file = disk.appendFile(`${at}/log`)
    disk.failNext("write", "EIO")
    disk.failNext("sync", "EIO")
    disk.failNext("rename", "EACCES", "other")
    expect(codeOf(() => file.write(Buffer.from("x")))).toBe("EIO")
    file.write(Buffer.from("y"))
    expect(read(disk, `${at}/log`)).toBe("y")
    expect((await finish((done) => file.sync(done))).error?.code).toBe("EIO")
    expect((await finish((done) => file.sync(done))).error).toBeNull()
    disk.rename(`${at}/log`, `${at}/new`)
    expect(codeOf(() => disk.rename(`${at}/new`, `${at}/other`))).toBe("EACCES")
  })

  it("does not make safe what a failed sync was to", async () => {
    const { disk, at, finish } = simulated()
    const file = disk.appendFile(`${at}/log`)
    await finish((done) => disk.syncDirectory(at, done))
    await finish((done) => disk.syncDirectory("/", done))
    file.write(Buffer.from("data"))
    disk.failNext("sync", "EIO")
    await finish((done) => file.sync(done))
    const lengths = new Set<number>()
    for (let seed = 0; seed < 20; seed++) {
      disk.powerLoss(new SimulatedRandom(seed))
      lengths.add(disk.contents(`${at}/log`).length)
    }
    expect(Math.min(...lengths)).toBeLessThan(4)
  })

  it("fills up: takes what fits and throws ENOSPC", () => {
    const { disk, at } = simulated()
    disk.capacityBytes = 5
    const file = disk.appendFile(`${at}/log`)
    file.write(Buffer.from("abc"))
    expect(codeOf(() => file.write(Buffer.from("defg")))).toBe("ENOSPC")
    expect(file.size).toBe(5)
    disk.remove(`${at}/log`)
    disk.appendFile(`${at}/new`).write(Buffer.from("abcde"))
  })

  it("flips a bit", () => {
    const { disk, at } = simulated()
    write(disk, `${at}/log`, "abc")
    disk.corrupt(`${at}/log`, 1)
    expect(read(disk, `${at}/log`)).toBe("acc")
  })

  it("crashes inside any operation, after which nothing of the process does anything", async () => {
    const names = new Set<string>()
    for (let number = 1; number <= 6; number++) {
      const clock = new SimulatedClock()
      const disk = new SimulatedDisk({ clock, random: new SimulatedRandom(number) })
      let crashes = 0
      let called = 0
      disk.onCrash = () => crashes++
      disk.crashAt(number)
      const done: DiskDone = () => called++
      expect(() => {
        disk.makeDirectory("/data")
        const file = disk.appendFile("/data/a")
        file.write(Buffer.from("0123456789"))
        file.sync(done)
        disk.rename("/data/a", "/data/b")
        disk.syncDirectory("/data", done)
      }).toThrow(SimulatedCrash)
      expect(crashes).toBe(1)
      expect(() => disk.list("/")).toThrow(SimulatedCrash)
      expect(() => disk.exists("/")).toThrow(SimulatedCrash)
      await clock.run(100)
      expect(called).toBe(0)
      disk.kill()
      names.add(disk.exists("/data") ? disk.list("/data").map((name) => `${name}${disk.contents(`/data/${name}`).length < 10 ? " torn" : ""}`).join() : "none")
    }
    expect(names).toEqual(new Set(["none", "", "a torn", "a", "b"]))
  })

  it("shows every operation before it happens, and can say their order", () => {
    const clock = new SimulatedClock()
    const disk = new SimulatedDisk({ clock, keepOperations: true })
    const numbers: number[] = []
    disk.onOperation = ({ number, kind, path: at }) => {
      numbers.push(number)
      if (kind === "remove") throw new DiskError("EROFS", at, kind)
    }
    disk.makeDirectory("/d")
    write(disk, "/d/a", "x")
    disk.rename("/d/a", "/d/b")
    expect(codeOf(() => disk.remove("/d/b"))).toBe("EROFS")
    disk.syncDirectory("/d", () => {})
    expect(disk.operations).toEqual(["makeDirectory /d", "appendFile /d/a", "write /d/a", "rename /d/a -> /d/b", "remove /d/b", "syncDirectory /d"])
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6])
  })
})

describe("simulated disk: files that are written over", () => {
  const SIZE = 2048

  async function withUnsynced(writes: readonly { letter: string; at: number; size: number }[]): Promise<Subject> {
    const subject = simulated()
    const { disk, at, finish } = subject
    const file = disk.writeFile(`${at}/segment`)
    file.write(Buffer.alloc(SIZE, "-"), 0)
    await finish((done) => file.sync(done))
    await finish((done) => disk.syncDirectory(at, done))
    await finish((done) => disk.syncDirectory("/", done))
    for (const { letter, at: from, size } of writes) file.write(Buffer.alloc(size, letter), from)
    return subject
  }

  it("a loss of power leaves each block with some state it has had since the last sync, independently", async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      const { disk, at } = await withUnsynced([{ letter: "a", at: 100, size: 1000 }, { letter: "b", at: 500, size: 1000 }])
      disk.powerLoss(new SimulatedRandom(seed))
      const found = read(disk, `${at}/segment`)
      expect(found.length).toBe(SIZE)
      const parts = [found.slice(100, 500), found.slice(500, 512), found.slice(512, 1024), found.slice(1024, 1100), found.slice(1100, 1500)].map((part) => {
        expect(new Set(part).size).toBe(1)
        return part[0]
      })
      expect(found.slice(0, 100) + found.slice(1500)).toBe("-".repeat(100 + SIZE - 1500))
      // Within a block the first write is never missing while the second is there.
      expect(["--", "a-", "aa", "ab"]).toContain(`${parts[0]}${parts[1]}`)
      seen.add(parts.join(""))
    }
    // Blocks 0, 1 and 2 have three states each, in any combination.
    expect(seen.size).toBe(27)
  })

  it("a sync keeps what was written before it began, and only that", async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 40; seed++) {
      const { disk, at, clock } = await withUnsynced([{ letter: "a", at: 0, size: 512 }])
      const file = disk.writeFile(`${at}/segment`)
      let isDone = false
      file.sync(() => {
        isDone = true
      })
      file.write(Buffer.alloc(512, "b"), 0)
      await clock.run(() => isDone)
      disk.powerLoss(new SimulatedRandom(seed))
      seen.add(read(disk, `${at}/segment`).slice(0, 512))
    }
    expect([...seen].map((text) => text[0]).toSorted()).toEqual(["a", "b"])
  })

  it("a write over what is there fits a full disk, one behind it does not", async () => {
    const { disk, at } = await withUnsynced([])
    disk.capacityBytes = SIZE + 10
    const file = disk.writeFile(`${at}/segment`)
    file.write(Buffer.alloc(SIZE, "x"), 0)
    expect(codeOf(() => file.write(Buffer.alloc(20, "y"), SIZE - 5))).toBe("ENOSPC")
    expect(read(disk, `${at}/segment`)).toBe("x".repeat(SIZE - 5) + "y".repeat(15))
  })
})
