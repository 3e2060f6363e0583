// Open files of the simulated disk: each operation is counted and may be struck by a fault before it does anything.
import { DiskError } from "../disk.ts"
import type { AppendFile, DiskDone, ReadFile, WriteFile } from "../disk.ts"
import { assert } from "../pure.ts"
import type { FileNode } from "./simulated-files.ts"

export type DiskOperationKind =
  | "appendFile" | "writeFile" | "write" | "sync" | "readFile" | "read" | "list" | "makeDirectory" | "rename" | "link" | "remove" | "removeTree"
  | "syncDirectory" | "lock"

/** What open files need of their disk. */
export interface OpenFileHost {
  /** Grows with every kill: a handle of an older one is dead. */
  readonly generation: number
  /** Least and greatest. */
  readonly readLatencyMs: readonly [number, number]
  readonly syncLatencyMs: readonly [number, number]
  /** Counts an operation and lets faults strike. Null: go on; a number: the process dies here, after so many bytes of a write. */
  begin(kind: DiskOperationKind, path: string, generation: number, size?: number): number | null
  /** Ends the process inside an operation. */
  crash(): never
  /** Bytes of `size` that still fit. */
  room(size: number): number
  /** Calls `fn` after a latency, unless the process dies before. */
  later(latencyMs: readonly [number, number], generation: number, fn: () => void): void
}

/** What files that are written have in common. */
class WritableFile {
  protected readonly file: FileNode
  readonly #disk: OpenFileHost
  readonly #path: string
  readonly #generation: number
  #isClosed = false

  constructor(disk: OpenFileHost, path: string, file: FileNode) {
    this.file = file
    this.#disk = disk
    this.#path = path
    this.#generation = disk.generation
  }

  get size(): number {
    return this.file.length
  }

  /** Writes through `put`, which takes a first part of the bytes; `growth` of them make the file longer. */
  protected writePart(bytes: Uint8Array, growth: number, put: (part: Uint8Array) => void): void {
    assert(!this.#isClosed, `${this.#path} is open`)
    const part = this.#disk.begin("write", this.#path, this.#generation, bytes.length)
    if (part !== null) {
      put(bytes.subarray(0, part))
      this.#disk.crash()
    }
    const missing = growth - this.#disk.room(growth)
    put(bytes.subarray(0, bytes.length - missing))
    if (missing > 0) throw new DiskError("ENOSPC", this.#path, "write")
  }

  sync(done: DiskDone): void {
    assert(!this.#isClosed, `${this.#path} is open`)
    let error: DiskError | null = null
    try {
      if (this.#disk.begin("sync", this.#path, this.#generation) !== null) this.#disk.crash()
    } catch (thrown) {
      if (!(thrown instanceof DiskError)) throw thrown
      error = thrown
    }
    const settle = this.file.beginSync()
    this.#disk.later(this.#disk.syncLatencyMs, this.#generation, () => {
      if (error === null) settle()
      done(error)
    })
  }

  close(): void {
    this.#isClosed = true
  }
}

export class SimulatedAppendFile extends WritableFile implements AppendFile {
  write(bytes: Uint8Array): void {
    this.writePart(bytes, bytes.length, (part) => this.file.append(part))
  }
}

export class SimulatedWriteFile extends WritableFile implements WriteFile {
  write(bytes: Uint8Array, at: number): void {
    assert(at <= this.file.length, `the file has a byte ${at}`)
    this.writePart(bytes, Math.max(at + bytes.length - this.file.length, 0), (part) => this.file.overwrite(part, at))
  }
}

export class SimulatedReadFile implements ReadFile {
  readonly size: number
  readonly #disk: OpenFileHost
  readonly #path: string
  readonly #file: FileNode
  readonly #generation: number
  #isClosed = false

  constructor(disk: OpenFileHost, path: string, file: FileNode) {
    this.#disk = disk
    this.#path = path
    this.#file = file
    this.#generation = disk.generation
    this.size = file.length
  }

  readNow(into: Uint8Array, at: number): number {
    assert(!this.#isClosed, `${this.#path} is open`)
    if (this.#disk.begin("read", this.#path, this.#generation) !== null) this.#disk.crash()
    return this.#copy(into, at)
  }

  read(into: Uint8Array, at: number, done: (error: DiskError | null, count: number) => void): void {
    assert(!this.#isClosed, `${this.#path} is open`)
    const disk = this.#disk
    let error: DiskError | null = null
    try {
      if (disk.begin("read", this.#path, this.#generation) !== null) disk.crash()
    } catch (thrown) {
      if (!(thrown instanceof DiskError)) throw thrown
      error = thrown
    }
    disk.later(disk.readLatencyMs, this.#generation, () => done(error, error === null ? this.#copy(into, at) : 0))
  }

  close(): void {
    this.#isClosed = true
  }

  #copy(into: Uint8Array, at: number): number {
    const file = this.#file
    const count = Math.max(Math.min(into.length, file.length - at), 0)
    into.set(file.bytes.subarray(at, at + count))
    return count
  }
}
