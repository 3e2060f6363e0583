// A disk that can be told to fail while the process runs, for nodes that are started for testing: each operation of a kind on
// matching paths is refused until `restore`. Files that worker threads open are not concerned.
import { type AppendFile, type Disk, type DiskDone, DiskError, type DiskLock, type ReadFile, type WriteFile } from "../disk.ts"

export const DISK_FAULT_KINDS = ["write", "sync", "read"] as const
export type DiskFaultKind = (typeof DISK_FAULT_KINDS)[number]

interface Fault {
  readonly kind: DiskFaultKind
  /** The errno name. */
  readonly code: string
  /** Part of the paths that are struck. */
  readonly path: string
}

export class FaultyDisk implements Disk {
  readonly #disk: Disk
  #faults: Fault[] = []

  constructor(disk: Disk) {
    this.#disk = disk
  }

  refuse(kind: DiskFaultKind, code: string, path: string): void {
    this.#faults.push({ kind, code, path })
  }
  restore(): void {
    this.#faults = []
  }

  /** Why the operation fails; null: it does not. */
  fault(kind: DiskFaultKind, path: string): DiskError | null {
    const fault = this.#faults.find((each) => each.kind === kind && path.includes(each.path))
    return fault === undefined ? null : new DiskError(fault.code, path, kind)
  }

  appendFile(path: string, options?: { truncateTo?: number }): AppendFile {
    const file = this.#disk.appendFile(path, options)
    return {
      get size() {
        return file.size
      },
      write: (bytes) => this.#refusing("write", path, () => file.write(bytes)),
      sync: (done) => this.#sync(file, path, done),
      close: () => file.close(),
    }
  }

  writeFile(path: string): WriteFile {
    const file = this.#disk.writeFile(path)
    return {
      get size() {
        return file.size
      },
      write: (bytes, at) => this.#refusing("write", path, () => file.write(bytes, at)),
      sync: (done) => this.#sync(file, path, done),
      close: () => file.close(),
    }
  }

  readFile(path: string): ReadFile {
    const file = this.#disk.readFile(path)
    return {
      size: file.size,
      readNow: (into, at) => this.#refusing("read", path, () => file.readNow(into, at)),
      read: (into, at, done) => {
        const fault = this.fault("read", path)
        if (fault === null) file.read(into, at, done)
        else setImmediate(done, fault, 0)
      },
      close: () => file.close(),
    }
  }

  exists(path: string): boolean {
    return this.#disk.exists(path)
  }
  list(directory: string): string[] {
    return this.#disk.list(directory)
  }
  makeDirectory(path: string): void {
    this.#disk.makeDirectory(path)
  }
  rename(from: string, to: string): void {
    this.#disk.rename(from, to)
  }
  link(from: string, to: string): void {
    this.#disk.link(from, to)
  }
  remove(path: string): void {
    this.#disk.remove(path)
  }
  removeTree(path: string): void {
    this.#disk.removeTree(path)
  }
  syncDirectory(path: string, done: DiskDone): void {
    this.#disk.syncDirectory(path, done)
  }
  lock(path: string): DiskLock {
    return this.#disk.lock(path)
  }

  #refusing<T>(kind: DiskFaultKind, path: string, work: () => T): T {
    const fault = this.fault(kind, path)
    if (fault !== null) throw fault
    return work()
  }
  #sync(file: AppendFile | WriteFile, path: string, done: DiskDone): void {
    const fault = this.fault("sync", path)
    if (fault === null) file.sync(done)
    else setImmediate(done, fault)
  }
}
