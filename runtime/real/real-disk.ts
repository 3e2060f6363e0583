// The disk port over node:fs. Errors of the operating system become DiskError; anything else is a bug and passes through.
import * as fs from "node:fs"
import { DiskError } from "../disk.ts"
import type { AppendFile, Disk, DiskDone, DiskLock, ReadFile, WriteFile } from "../disk.ts"
import { assert } from "../pure.ts"
import { takeLockFile } from "./lock-file.ts"

export class RealDisk implements Disk {
  appendFile(path: string, options?: { truncateTo?: number }): AppendFile {
    return attempt(path, "open", () => {
      const fd = fs.openSync(path, "a")
      if (options?.truncateTo !== undefined) fs.ftruncateSync(fd, options.truncateTo)
      return new RealAppendFile(path, fd, fs.fstatSync(fd).size)
    })
  }

  writeFile(path: string): WriteFile {
    return attempt(path, "open", () => {
      const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o666)
      return new RealWriteFile(path, fd, fs.fstatSync(fd).size)
    })
  }

  readFile(path: string): ReadFile {
    return attempt(path, "open", () => {
      const fd = fs.openSync(path, "r")
      const stat = fs.fstatSync(fd)
      if (stat.isDirectory()) {
        fs.closeSync(fd)
        throw new DiskError("EISDIR", path, "open")
      }
      return new RealReadFile(path, fd, stat.size)
    })
  }

  exists(path: string): boolean {
    return fs.existsSync(path)
  }

  list(directory: string): string[] {
    return attempt(directory, "list", () => fs.readdirSync(directory).toSorted())
  }

  makeDirectory(path: string): void {
    attempt(path, "makeDirectory", () => fs.mkdirSync(path, { recursive: true }))
  }

  rename(from: string, to: string): void {
    attempt(from, "rename", () => fs.renameSync(from, to))
  }

  link(from: string, to: string): void {
    attempt(to, "link", () => fs.linkSync(from, to))
  }

  remove(path: string): void {
    attempt(path, "remove", () => fs.unlinkSync(path))
  }

  removeTree(path: string): void {
    attempt(path, "removeTree", () => fs.rmSync(path, { recursive: true, force: true }))
  }

  syncDirectory(path: string, done: DiskDone): void {
    fs.open(path, "r", (openError, fd) => {
      if (openError !== null) return done(toDiskError(openError, path, "syncDirectory"))
      fs.fsync(fd, (error) => {
        fs.closeSync(fd)
        // Windows cannot sync a directory, and needs not to.
        const isRefused = error !== null && process.platform !== "win32"
        done(isRefused ? toDiskError(error, path, "syncDirectory") : null)
      })
    })
  }

  lock(path: string): DiskLock {
    return attempt(path, "lock", () => takeLockFile(path))
  }
}

/** An open file whose descriptor outlives `close` until the operations in flight have ended: a closed number is given out again at once. */
class OpenFile {
  readonly path: string
  readonly fd: number
  #inFlight = 0
  #isClosed = false

  constructor(path: string, fd: number) {
    this.path = path
    this.fd = fd
  }

  checkOpen(): void {
    assert(!this.#isClosed, `${this.path} is open`)
  }
  begin(): void {
    this.checkOpen()
    this.#inFlight++
  }
  end(): void {
    this.#inFlight--
    if (this.#isClosed && this.#inFlight === 0) fs.closeSync(this.fd)
  }
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#inFlight === 0) fs.closeSync(this.fd)
  }
}

class RealAppendFile implements AppendFile {
  readonly #file: OpenFile
  #size: number

  constructor(path: string, fd: number, size: number) {
    this.#file = new OpenFile(path, fd)
    this.#size = size
  }

  get size(): number {
    return this.#size
  }

  write(bytes: Uint8Array): void {
    const file = this.#file
    file.checkOpen()
    let at = 0
    try {
      while (at < bytes.length) {
        const count = fs.writeSync(file.fd, bytes, at, bytes.length - at)
        at += count
        this.#size += count
      }
    } catch (error) {
      throw toDiskError(error, file.path, "write")
    }
  }

  sync(done: DiskDone): void {
    syncFile(this.#file, done)
  }

  close(): void {
    this.#file.close()
  }
}

class RealWriteFile implements WriteFile {
  readonly #file: OpenFile
  #size: number

  constructor(path: string, fd: number, size: number) {
    this.#file = new OpenFile(path, fd)
    this.#size = size
  }

  get size(): number {
    return this.#size
  }

  write(bytes: Uint8Array, at: number): void {
    const file = this.#file
    file.checkOpen()
    assert(at <= this.#size, `${file.path} has a byte ${at}`)
    let written = 0
    try {
      while (written < bytes.length) {
        written += fs.writeSync(file.fd, bytes, written, bytes.length - written, at + written)
        if (at + written > this.#size) this.#size = at + written
      }
    } catch (error) {
      throw toDiskError(error, file.path, "write")
    }
  }

  sync(done: DiskDone): void {
    syncFile(this.#file, done)
  }

  close(): void {
    this.#file.close()
  }
}

function syncFile(file: OpenFile, done: DiskDone): void {
  file.begin()
  fs.fdatasync(file.fd, (error) => {
    file.end()
    done(error === null ? null : toDiskError(error, file.path, "sync"))
  })
}

class RealReadFile implements ReadFile {
  readonly size: number
  readonly #file: OpenFile

  constructor(path: string, fd: number, size: number) {
    this.#file = new OpenFile(path, fd)
    this.size = size
  }

  readNow(into: Uint8Array, at: number): number {
    const file = this.#file
    file.checkOpen()
    let total = 0
    try {
      while (total < into.length) {
        const count = fs.readSync(file.fd, into, total, into.length - total, at + total)
        if (count === 0) break
        total += count
      }
    } catch (error) {
      throw toDiskError(error, file.path, "read")
    }
    return total
  }

  read(into: Uint8Array, at: number, done: (error: DiskError | null, count: number) => void): void {
    this.#file.begin()
    this.#readRest(into, at, 0, done)
  }

  #readRest(into: Uint8Array, at: number, from: number, done: (error: DiskError | null, count: number) => void): void {
    const file = this.#file
    fs.read(file.fd, into, from, into.length - from, at + from, (error, count) => {
      const total = from + count
      if (error === null && count > 0 && total < into.length) return this.#readRest(into, at, total, done)
      file.end()
      if (error === null) done(null, total)
      else done(toDiskError(error, file.path, "read"), from)
    })
  }

  close(): void {
    this.#file.close()
  }
}

function attempt<T>(path: string, operation: string, fn: () => T): T {
  try {
    return fn()
  } catch (error) {
    throw toDiskError(error, path, operation)
  }
}

function toDiskError(error: unknown, path: string, operation: string): DiskError {
  if (error instanceof DiskError) return error
  const { code, errno } = error as NodeJS.ErrnoException
  // Node.js's own complaints (ERR_...) have no errno: a wrong argument, not a disk that failed.
  if (typeof code !== "string" || errno === undefined) throw error
  return new DiskError(code, path, operation)
}
