// A disk in memory that knows how machines fail.
//
// `kill` is what the process's death does: open files and locks are gone, callbacks never come; everything written stays.
// `powerLoss` is a kill that keeps only what was synced, and by chance some of the rest (see simulated-files.ts).
// Until one of the two is called after a crash (`crashAt`), every operation throws SimulatedCrash: the process is gone.
//
// Faults: `failNext` refuses one operation, `capacityBytes` fills up, `corrupt` flips a bit, `onOperation` sees every operation
// before it happens and may throw. Operations are counted and can be kept as text, the order of disk operations being worth a golden.
import type { Clock } from "../clock.ts"
import { DiskError } from "../disk.ts"
import type { AppendFile, Disk, DiskDone, DiskLock, ReadFile, WriteFile } from "../disk.ts"
import { assert } from "../pure.ts"
import type { Buffer } from "../pure.ts"
import type { Random } from "../random.ts"
import { SimulatedCrash } from "./simulated-crash.ts"
import { DirectoryNode, FileNode, filesBelow, NameJournal } from "./simulated-files.ts"
import type { Node } from "./simulated-files.ts"
import { SimulatedAppendFile, SimulatedReadFile, SimulatedWriteFile } from "./simulated-open-files.ts"
import type { DiskOperationKind, OpenFileHost } from "./simulated-open-files.ts"
import type { Trace } from "./trace.ts"

export interface DiskOperation {
  /** From 1. */
  readonly number: number
  readonly kind: DiskOperationKind
  readonly path: string
}

export interface SimulatedDiskOptions {
  readonly clock: Clock
  /** Latencies and torn writes are drawn from it; without it latencies are the least ones. */
  readonly random?: Random
  readonly trace?: Trace
  /** Least and greatest; 0.05 to 0.3 unless told. */
  readonly readLatencyMs?: readonly [number, number]
  /** Least and greatest; 0.2 to 2 unless told. */
  readonly syncLatencyMs?: readonly [number, number]
  /** Keeps every operation as a line in `operations`. */
  readonly keepOperations?: boolean
}

export class SimulatedDisk implements Disk, OpenFileHost {
  /** Called before each operation; what it throws, the operation throws. */
  onOperation: ((operation: DiskOperation) => void) | null = null
  /** Called when `crashAt` strikes, inside the operation. */
  onCrash: (() => void) | null = null
  /** Bytes that fit on the disk; null: no bound. Beyond it a write takes what fits and throws ENOSPC. */
  capacityBytes: number | null = null
  readonly #options: SimulatedDiskOptions
  readonly #root = new DirectoryNode()
  readonly #journal = new NameJournal()
  readonly #locks = new Set<FileNode>()
  readonly #operations: string[] = []
  #refusals: { readonly kind: DiskOperationKind; readonly code: string; readonly path: string }[] = []
  #operationCount = 0
  #crashAt = 0
  #isCrashed = false
  /** Grows with every kill: handles and callbacks of an older one are dead. */
  #generation = 0

  constructor(options: SimulatedDiskOptions) {
    this.#options = options
  }

  get operationCount(): number {
    return this.#operationCount
  }
  get operations(): readonly string[] {
    return this.#operations
  }
  get isCrashed(): boolean {
    return this.#isCrashed
  }
  get usedBytes(): number {
    let used = 0
    for (const file of filesBelow(this.#root)) used += file.length
    return used
  }

  /** The process that uses the disk is gone. */
  kill(): void {
    this.#generation++
    this.#locks.clear()
    this.#isCrashed = false
    this.#crashAt = 0
    this.#refusals = []
  }

  /** The machine has lost power. */
  powerLoss(random: Random): void {
    this.kill()
    this.#journal.losePower(this.#root, random)
    for (const file of filesBelow(this.#root)) file.losePower(random)
  }

  /** The next operation of the kind, on a path that contains `path`, fails with the errno name. */
  failNext(kind: DiskOperationKind, code: string, path = ""): void {
    this.#refusals.push({ kind, code, path })
  }

  /** The process dies at the operation of this number (see `operationCount`); a write that is struck may be done in part. */
  crashAt(operationNumber: number): void {
    this.#crashAt = operationNumber
  }

  /** Flips a bit of the file, safe content included. */
  corrupt(path: string, offset: number, mask = 1): void {
    const file = this.#file(path, "corrupt")
    assert(offset < file.length, `${path} has a byte ${offset}`)
    file.bytes[offset] = (file.bytes[offset] as number) ^ mask
  }

  /** What the file holds, without an operation. */
  contents(path: string): Buffer {
    const file = this.#file(path, "contents")
    return file.bytes.subarray(0, file.length)
  }

  appendFile(path: string, options?: { truncateTo?: number }): AppendFile {
    this.#begin("appendFile", path)
    const file = this.#fileOrNew(path)
    if (options?.truncateTo !== undefined) file.truncate(options.truncateTo)
    return new SimulatedAppendFile(this, path, file)
  }

  writeFile(path: string): WriteFile {
    this.#begin("writeFile", path)
    return new SimulatedWriteFile(this, path, this.#fileOrNew(path))
  }

  readFile(path: string): ReadFile {
    this.#begin("readFile", path)
    return new SimulatedReadFile(this, path, this.#file(path, "open"))
  }

  exists(path: string): boolean {
    this.#checkAlive(this.#generation)
    try {
      return this.#resolve(path, "exists").node !== null
    } catch (error) {
      if (error instanceof DiskError) return false
      throw error
    }
  }

  list(directory: string): string[] {
    this.#begin("list", directory)
    return [...this.#directory(directory, "list").entries.keys()].toSorted()
  }

  makeDirectory(path: string): void {
    this.#begin("makeDirectory", path)
    let directory = this.#root
    for (const name of segments(path)) {
      let next = directory.entries.get(name)
      if (next instanceof FileNode) throw new DiskError("EEXIST", path, "makeDirectory")
      if (next === undefined) {
        next = new DirectoryNode()
        this.#journal.change([{ directory, name, node: next }])
      }
      directory = next
    }
  }

  rename(from: string, to: string): void {
    this.#begin("rename", `${from} -> ${to}`)
    const source = this.#resolve(from, "rename")
    const target = this.#resolve(to, "rename")
    if (source.node === null) throw new DiskError("ENOENT", from, "rename")
    if (source.node === target.node) return
    if (target.node instanceof DirectoryNode && source.node instanceof FileNode) throw new DiskError("EISDIR", from, "rename")
    if (target.node instanceof FileNode && source.node instanceof DirectoryNode) throw new DiskError("ENOTDIR", from, "rename")
    if (target.node instanceof DirectoryNode && target.node.entries.size > 0) throw new DiskError("ENOTEMPTY", from, "rename")
    this.#journal.change([
      { directory: source.directory, name: source.name, node: null },
      { directory: target.directory, name: target.name, node: source.node },
    ])
  }

  link(from: string, to: string): void {
    this.#begin("link", `${from} -> ${to}`)
    const source = this.#resolve(from, "link")
    const target = this.#resolve(to, "link")
    if (source.node === null) throw new DiskError("ENOENT", to, "link")
    if (source.node instanceof DirectoryNode) throw new DiskError("EPERM", to, "link")
    if (target.node !== null) throw new DiskError("EEXIST", to, "link")
    this.#journal.change([{ directory: target.directory, name: target.name, node: source.node }])
  }

  remove(path: string): void {
    this.#begin("remove", path)
    const { directory, name, node } = this.#resolve(path, "remove")
    if (node === null) throw new DiskError("ENOENT", path, "remove")
    if (node instanceof DirectoryNode) throw new DiskError("EISDIR", path, "remove")
    this.#journal.change([{ directory, name, node: null }])
  }

  removeTree(path: string): void {
    this.#begin("removeTree", path)
    if (!this.exists(path)) return
    const { directory, name, node } = this.#resolve(path, "removeTree")
    if (node instanceof DirectoryNode) this.#empty(node)
    this.#journal.change([{ directory, name, node: null }])
  }

  syncDirectory(path: string, done: DiskDone): void {
    const generation = this.#generation
    let error: DiskError | null = null
    let settle = (): void => {}
    try {
      this.#begin("syncDirectory", path)
      settle = this.#journal.beginSync(this.#directory(path, "syncDirectory"))
    } catch (thrown) {
      if (!(thrown instanceof DiskError)) throw thrown
      error = thrown
    }
    this.later(this.#options.syncLatencyMs ?? [0.2, 2], generation, () => {
      if (error === null) settle()
      done(error)
    })
  }

  lock(path: string): DiskLock {
    this.#begin("lock", path)
    const { directory, name, node } = this.#resolve(path, "lock")
    if (node instanceof DirectoryNode) throw new DiskError("EISDIR", path, "lock")
    if (node !== null && this.#locks.has(node)) throw new DiskError("EBUSY", path, "lock (held by process 1)")
    const file = node ?? new FileNode()
    if (node === null) this.#journal.change([{ directory, name, node: file }])
    this.#locks.add(file)
    const generation = this.#generation
    return {
      release: () => {
        if (generation !== this.#generation || !this.#locks.delete(file)) return
        if (directory.entries.get(name) === file) this.#journal.change([{ directory, name, node: null }])
      },
    }
  }

  // What the open files of this disk need: OpenFileHost.

  get generation(): number {
    return this.#generation
  }

  begin(kind: DiskOperationKind, path: string, generation: number, size = 0): number | null {
    this.#checkAlive(generation)
    const isStruck = this.#count(kind, path)
    if (!isStruck) return null
    return kind === "write" && this.#options.random !== undefined ? this.#options.random.below(size + 1) : 0
  }

  crash(): never {
    this.#isCrashed = true
    this.onCrash?.()
    throw new SimulatedCrash("the process has crashed")
  }

  room(size: number): number {
    return this.capacityBytes === null ? size : Math.max(Math.min(size, this.capacityBytes - this.usedBytes), 0)
  }

  later(latencyMs: readonly [number, number], generation: number, fn: () => void): void {
    const [least, greatest] = latencyMs
    const share = this.#options.random?.float() ?? 0
    this.#options.clock.after(least + share * (greatest - least), () => {
      if (generation === this.#generation && !this.#isCrashed) fn()
    })
  }
  get readLatencyMs(): readonly [number, number] {
    return this.#options.readLatencyMs ?? [0.05, 0.3]
  }
  get syncLatencyMs(): readonly [number, number] {
    return this.#options.syncLatencyMs ?? [0.2, 2]
  }

  #begin(kind: DiskOperationKind, path: string): void {
    if (this.begin(kind, path, this.#generation) !== null) this.crash()
  }

  #checkAlive(generation: number): void {
    if (this.#isCrashed || generation !== this.#generation) throw new SimulatedCrash("the process is dead")
  }

  /** True when the process is to crash here. */
  #count(kind: DiskOperationKind, path: string): boolean {
    const number = ++this.#operationCount
    if (this.#options.keepOperations === true) this.#operations.push(`${kind} ${path}`)
    this.#options.trace?.record(this.#options.clock.monotonicMs() * 1000, `disk ${kind} ${path}`)
    this.onOperation?.({ number, kind, path })
    if (number === this.#crashAt) return true
    const at = this.#refusals.findIndex((refusal) => refusal.kind === kind && path.includes(refusal.path))
    if (at < 0) return false
    const [refusal] = this.#refusals.splice(at, 1)
    throw new DiskError(refusal?.code ?? "EIO", path, kind)
  }

  #empty(directory: DirectoryNode): void {
    for (const [name, node] of [...directory.entries].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      if (node instanceof DirectoryNode) this.#empty(node)
      this.#journal.change([{ directory, name, node: null }])
    }
  }

  #fileOrNew(path: string): FileNode {
    const { directory, name, node } = this.#resolve(path, "open")
    if (node instanceof DirectoryNode) throw new DiskError("EISDIR", path, "open")
    if (node !== null) return node
    const file = new FileNode()
    this.#journal.change([{ directory, name, node: file }])
    return file
  }

  #file(path: string, operation: string): FileNode {
    const { node } = this.#resolve(path, operation)
    if (node === null) throw new DiskError("ENOENT", path, operation)
    if (node instanceof DirectoryNode) throw new DiskError("EISDIR", path, operation)
    return node
  }

  #directory(path: string, operation: string): DirectoryNode {
    const names = segments(path)
    if (names.length === 0) return this.#root
    const { node } = this.#resolve(path, operation)
    if (node === null) throw new DiskError("ENOENT", path, operation)
    if (node instanceof FileNode) throw new DiskError("ENOTDIR", path, operation)
    return node
  }

  #resolve(path: string, operation: string): { directory: DirectoryNode; name: string; node: Node | null } {
    const names = segments(path)
    const name = names.pop()
    if (name === undefined) throw new DiskError("EISDIR", path, operation)
    let directory = this.#root
    for (const parent of names) {
      const next = directory.entries.get(parent)
      if (next === undefined) throw new DiskError("ENOENT", path, operation)
      if (next instanceof FileNode) throw new DiskError("ENOTDIR", path, operation)
      directory = next
    }
    return { directory, name, node: directory.entries.get(name) ?? null }
  }
}

/** A relative path starts at the root: a simulated process runs there. */
function segments(path: string): string[] {
  const names: string[] = []
  for (const name of path.split("/")) {
    if (name === "..") names.pop()
    else if (name !== "" && name !== ".") names.push(name)
  }
  return names
}
