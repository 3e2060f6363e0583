// One suite for the real and the simulated disk, then the lock files of real processes. Faults: simulated/simulated-disk.test.ts.
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { DiskError } from "./disk.ts"
import type { Disk } from "./disk.ts"
import { FaultyDisk } from "./real/faulty-disk.ts"
import { RealDisk } from "./real/real-disk.ts"
import { SimulatedClock } from "./simulated/simulated-clock.ts"
import { SimulatedDisk } from "./simulated/simulated-disk.ts"

interface Subject {
  readonly disk: Disk
  /** An empty directory. */
  readonly at: string
  /** Waits for the call of `done`. */
  finish<T>(start: (done: (error: DiskError | null, value?: T) => void) => void): Promise<{ error: DiskError | null; value: T | undefined }>
}

const made: string[] = []
afterAll(() => {
  for (const directory of made) fs.rmSync(directory, { recursive: true, force: true })
})

function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "belvedere-disk-"))
  made.push(directory)
  return directory
}

function real(): Subject {
  return {
    disk: new RealDisk(),
    at: temporaryDirectory(),
    finish: (start) => new Promise((resolve) => start((error, value) => resolve({ error, value }))),
  }
}

/** With no fault set. */
function faulty(): Subject {
  const subject = real()
  return { ...subject, disk: new FaultyDisk(subject.disk) }
}

function simulated(): Subject {
  const clock = new SimulatedClock()
  const disk = new SimulatedDisk({ clock })
  disk.makeDirectory("/data")
  return {
    disk, at: "/data",
    async finish(start) {
      let result: { error: DiskError | null; value: undefined } | null = null
      start((error, value) => {
        result = { error, value: value as undefined }
      })
      expect(result).toBeNull()
      await clock.run(() => result !== null)
      return result as unknown as { error: DiskError | null; value: undefined }
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

describe.each([["real", real], ["faulty", faulty], ["simulated", simulated]] as const)("%s disk", (_name, create) => {
  it("appends, and takes the bytes before it returns", () => {
    const { disk, at } = create()
    const file = disk.appendFile(`${at}/log`)
    const bytes = Buffer.from("one")
    file.write(bytes)
    bytes.fill(0)
    file.write(Buffer.from(" two"))
    expect(file.size).toBe(7)
    expect(read(disk, `${at}/log`)).toBe("one two")
    file.close()
    const again = disk.appendFile(`${at}/log`)
    expect(again.size).toBe(7)
    again.write(new Uint8Array(0))
    again.write(Buffer.from("!"))
    expect(read(disk, `${at}/log`)).toBe("one two!")
  })

  it("cuts a file at opening, and fills up to a length beyond its end", () => {
    const { disk, at } = create()
    write(disk, `${at}/log`, "0123456789")
    const file = disk.appendFile(`${at}/log`, { truncateTo: 4 })
    expect(file.size).toBe(4)
    file.write(Buffer.from("x"))
    expect(read(disk, `${at}/log`)).toBe("0123x")
    expect(disk.appendFile(`${at}/log`, { truncateTo: 7 }).size).toBe(7)
    expect(read(disk, `${at}/log`)).toBe("0123x\0\0")
  })

  it("writes at any place, over what is there and behind it", async () => {
    const { disk, at, finish } = create()
    write(disk, `${at}/segment`, "0123456789")
    const file = disk.writeFile(`${at}/segment`)
    expect(file.size).toBe(10)
    const bytes = Buffer.from("ab")
    file.write(bytes, 3)
    bytes.fill(0)
    expect(read(disk, `${at}/segment`)).toBe("012ab56789")
    file.write(Buffer.from("xyz"), 9)
    file.write(Buffer.from("!"), 12)
    expect(file.size).toBe(13)
    expect(read(disk, `${at}/segment`)).toBe("012ab5678xyz!")
    expect(() => file.write(Buffer.from("?"), 14)).toThrow("has a byte 14")
    expect((await finish((done) => file.sync(done))).error).toBeNull()
    disk.rename(`${at}/segment`, `${at}/other`)
    file.write(Buffer.from("A"), 0)
    file.close()
    expect(read(disk, `${at}/other`)).toBe("A12ab5678xyz!")
    const made = disk.writeFile(`${at}/new`)
    expect([made.size, disk.exists(`${at}/new`)]).toEqual([0, true])
    made.close()
  })

  it("reads parts, and fewer bytes at the end only", async () => {
    const { disk, at, finish } = create()
    write(disk, `${at}/file`, "0123456789")
    const file = disk.readFile(`${at}/file`)
    for (const [from, size, expected] of [[0, 4, "0123"], [6, 4, "6789"], [8, 4, "89"], [10, 4, ""], [99, 4, ""], [3, 0, ""]] as const) {
      const now = Buffer.alloc(size, "?")
      const count = file.readNow(now, from)
      expect(now.toString("latin1", 0, count)).toBe(expected)
      const later = Buffer.alloc(size, "?")
      const { error, value } = await finish<number>((done) => file.read(later, from, done))
      expect(error).toBeNull()
      expect(later.toString("latin1", 0, value)).toBe(expected)
      expect(later.toString("latin1", value)).toBe("?".repeat(size - expected.length))
    }
    expect(file.size).toBe(10)
  })

  it("reads what is appended while it is open", () => {
    const { disk, at } = create()
    write(disk, `${at}/file`, "ab")
    const file = disk.readFile(`${at}/file`)
    write(disk, `${at}/file`, "cd")
    const into = Buffer.alloc(4)
    expect(file.readNow(into, 0)).toBe(4)
    expect(into.toString()).toBe("abcd")
  })

  it("finishes reads and syncs that were under way when the file was closed", async () => {
    const { disk, at, finish } = create()
    write(disk, `${at}/file`, "0123456789")
    const readable = disk.readFile(`${at}/file`)
    const into = Buffer.alloc(4)
    const reading = await finish<number>((done) => {
      readable.read(into, 2, done)
      readable.close()
      readable.close()
    })
    expect(reading).toEqual({ error: null, value: 4 })
    expect(into.toString()).toBe("2345")
    const appendable = disk.appendFile(`${at}/file`)
    const { error } = await finish((done) => {
      appendable.sync(done)
      appendable.close()
    })
    expect(error).toBeNull()
    expect(() => appendable.write(Buffer.from("x"))).toThrow("is open")
    expect(() => readable.readNow(into, 0)).toThrow("is open")
    expect(() => appendable.sync(() => {})).toThrow("is open")
  })

  it("syncs files and directories", async () => {
    const { disk, at, finish } = create()
    const file = disk.appendFile(`${at}/log`)
    file.write(Buffer.alloc(10_000))
    expect((await finish((done) => file.sync(done))).error).toBeNull()
    expect((await finish((done) => disk.syncDirectory(at, done))).error).toBeNull()
    expect((await finish((done) => disk.syncDirectory(`${at}/none`, done))).error).toMatchObject({ name: "DiskError", code: "ENOENT" })
  })

  it("lists names in order", () => {
    const { disk, at } = create()
    for (const name of ["b", "a", "10", "9", "B"]) write(disk, `${at}/${name}`, "")
    disk.makeDirectory(`${at}/c/d`)
    expect(disk.list(at)).toEqual(["10", "9", "B", "a", "b", "c"])
    expect(disk.list(`${at}/c`)).toEqual(["d"])
  })

  it("makes directories with parents, again and again", () => {
    const { disk, at } = create()
    disk.makeDirectory(`${at}/a/b/c`)
    disk.makeDirectory(`${at}/a/b/c`)
    disk.makeDirectory(`${at}/a/b/c/`)
    expect(disk.exists(`${at}/a/b/c`)).toBe(true)
    write(disk, `${at}/file`, "x")
    expect(codeOf(() => disk.makeDirectory(`${at}/file`))).toBe("EEXIST")
  })

  it("renames over an existing file", () => {
    const { disk, at } = create()
    write(disk, `${at}/a`, "new")
    write(disk, `${at}/b`, "old")
    const open = disk.readFile(`${at}/b`)
    disk.rename(`${at}/a`, `${at}/b`)
    expect(disk.list(at)).toEqual(["b"])
    expect(read(disk, `${at}/b`)).toBe("new")
    // Who has the old file open still reads it.
    const into = Buffer.alloc(3)
    open.readNow(into, 0)
    expect(into.toString()).toBe("old")
  })

  it("renames directories", () => {
    const { disk, at } = create()
    disk.makeDirectory(`${at}/a/sub`)
    write(disk, `${at}/a/sub/file`, "x")
    disk.rename(`${at}/a`, `${at}/b`)
    expect(disk.list(at)).toEqual(["b"])
    expect(read(disk, `${at}/b/sub/file`)).toBe("x")
  })

  it("links, and keeps the file while one name is left", () => {
    const { disk, at } = create()
    write(disk, `${at}/a`, "x")
    disk.link(`${at}/a`, `${at}/b`)
    write(disk, `${at}/a`, "y")
    disk.remove(`${at}/a`)
    expect(read(disk, `${at}/b`)).toBe("xy")
    expect(disk.exists(`${at}/a`)).toBe(false)
  })

  it("removes trees, and nothing without complaint", () => {
    const { disk, at } = create()
    disk.makeDirectory(`${at}/a/b`)
    write(disk, `${at}/a/b/c`, "x")
    disk.removeTree(`${at}/a`)
    disk.removeTree(`${at}/a`)
    disk.removeTree(`${at}/none/at/all`)
    expect(disk.list(at)).toEqual([])
  })

  it("names the error and the path", () => {
    const { disk, at } = create()
    write(disk, `${at}/file`, "x")
    write(disk, `${at}/other`, "y")
    disk.makeDirectory(`${at}/directory/full`)
    expect(codeOf(() => disk.readFile(`${at}/none`))).toBe("ENOENT")
    expect(codeOf(() => disk.readFile(`${at}/directory`))).toBe("EISDIR")
    expect(codeOf(() => disk.appendFile(`${at}/none/file`))).toBe("ENOENT")
    expect(codeOf(() => disk.appendFile(`${at}/directory`))).toBe("EISDIR")
    expect(codeOf(() => disk.appendFile(`${at}/file/below`))).toBe("ENOTDIR")
    expect(codeOf(() => disk.list(`${at}/none`))).toBe("ENOENT")
    expect(codeOf(() => disk.list(`${at}/file`))).toBe("ENOTDIR")
    expect(codeOf(() => disk.rename(`${at}/none`, `${at}/x`))).toBe("ENOENT")
    expect(codeOf(() => disk.rename(`${at}/file`, `${at}/directory`))).toBe("EISDIR")
    expect(codeOf(() => disk.rename(`${at}/directory`, `${at}/file`))).toBe("ENOTDIR")
    expect(codeOf(() => disk.link(`${at}/file`, `${at}/other`))).toBe("EEXIST")
    expect(codeOf(() => disk.link(`${at}/none`, `${at}/new`))).toBe("ENOENT")
    expect(codeOf(() => disk.remove(`${at}/none`))).toBe("ENOENT")
    expect(codeOf(() => disk.remove(`${at}/directory`))).toBe("EISDIR")
    expect(disk.exists(`${at}/none`)).toBe(false)
    expect(disk.exists(`${at}/file/below`)).toBe(false)
    expect(() => disk.readFile(`${at}/none`)).toThrow(`${at}/none: ENOENT`)
  })

  it("gives a lock to one holder at a time", () => {
    const { disk, at } = create()
    const lock = disk.lock(`${at}/lock`)
    expect(disk.exists(`${at}/lock`)).toBe(true)
    expect(codeOf(() => disk.lock(`${at}/lock`))).toBe("EBUSY")
    expect(() => disk.lock(`${at}/lock`)).toThrow(/held by process \d+/)
    lock.release()
    lock.release()
    expect(disk.exists(`${at}/lock`)).toBe(false)
    disk.lock(`${at}/lock`).release()
    expect(disk.list(at)).toEqual([])
  })
})

describe("real disk", () => {
  it("holds the lock against another process while that lives, and takes it over when that is dead", async () => {
    const at = temporaryDirectory()
    const disk = new RealDisk()
    const script = `import { RealDisk } from ${JSON.stringify(new URL("./real/real-disk.ts", import.meta.url).href)}
      new RealDisk().lock(${JSON.stringify(`${at}/lock`)}); process.stdout.write("locked"); setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] })
    await new Promise((resolve) => child.stdout.once("data", resolve))
    expect(() => disk.lock(`${at}/lock`)).toThrow(`held by process ${child.pid}`)
    const exited = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGKILL")
    await exited
    disk.lock(`${at}/lock`).release()
    expect(disk.list(at)).toEqual([])
  })

  it.runIf(process.platform === "linux")("takes over the lock of an earlier process that had the id of a live one", () => {
    const at = temporaryDirectory()
    // This process lives, but has not started at that time; nor has anything in the machine's last life.
    for (const text of [`${process.pid} 1 x\n`, `${process.pid} 12345 ${fs.readFileSync("/proc/sys/kernel/random/boot_id", "latin1")}`, "garbage", ""]) {
      fs.writeFileSync(`${at}/lock`, text)
      new RealDisk().lock(`${at}/lock`).release()
    }
    fs.writeFileSync(`${at}/lock`, `${process.pid} ? -\n`)
    expect(codeOf(() => new RealDisk().lock(`${at}/lock`))).toBe("EBUSY")
  })

  it("takes over from a process of the same id that died before it had removed its draft", () => {
    const at = temporaryDirectory()
    fs.writeFileSync(`${at}/lock`, "999999999 1 x\n")
    fs.linkSync(`${at}/lock`, `${at}/lock.${process.pid}`)
    new RealDisk().lock(`${at}/lock`).release()
    expect(fs.readdirSync(at)).toEqual([])
  })

  it("takes over although somebody died while taking over", () => {
    const at = temporaryDirectory()
    fs.writeFileSync(`${at}/lock`, "999999999 1 x\n")
    fs.writeFileSync(`${at}/lock.takeover`, "999999998 1 x\n")
    new RealDisk().lock(`${at}/lock`).release()
    expect(fs.readdirSync(at)).toEqual([])
  })
})

it("a faulty disk refuses what it is told to, until it is mended", async () => {
  const { at, finish } = real()
  const disk = new FaultyDisk(new RealDisk())
  for (const [name, open] of [["appended", () => disk.appendFile(`${at}/appended`)], ["written", () => disk.writeFile(`${at}/written`)]] as const) {
    disk.refuse("write", "ENOSPC", name)
    disk.refuse("sync", "EIO", name)
    disk.refuse("read", "EACCES", name)
    const file = open()
    expect(codeOf(() => file.write(Buffer.from("x"), 0))).toBe("ENOSPC")
    expect((await finish((done) => file.sync(done))).error?.code).toBe("EIO")
    const reader = disk.readFile(`${at}/${name}`)
    expect(codeOf(() => reader.readNow(Buffer.alloc(1), 0))).toBe("EACCES")
    expect((await finish((done) => reader.read(Buffer.alloc(1), 0, done))).error?.code).toBe("EACCES")
    disk.restore()
    file.write(Buffer.from("x"), 0)
    expect((await finish((done) => file.sync(done))).error).toBeNull()
    expect(read(disk, `${at}/${name}`)).toBe("x")
  }
})
