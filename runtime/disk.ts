// The disk port. Paths are absolute or relative to the process; "/" separates. Every call may throw or report a DiskError.
// Two kinds of crash are told apart: a `kill` of the process keeps everything that `write` has taken,
// a `powerLoss` keeps only what `sync` (for file content) and `syncDirectory` (for names) have reported done.

/** An operation the disk refused. `code` is the errno name: ENOENT, EEXIST, ENOSPC, EIO, ... */
export class DiskError extends Error {
  override readonly name = "DiskError"
  readonly code: string
  readonly path: string
  constructor(code: string, path: string, operation: string) {
    super(`${operation} ${path}: ${code}`)
    this.code = code
    this.path = path
  }
}

export type DiskDone = (error: DiskError | null) => void

/** A file that is only appended to. */
export interface AppendFile {
  /** Bytes written so far, those present at opening included. */
  readonly size: number
  /** Hands the bytes to the operating system before it returns; a short write is completed or thrown. The caller may reuse `bytes`. */
  write(bytes: Uint8Array): void
  /** Calls `done` once everything written before this call is on the disk (fdatasync). Never blocks. */
  sync(done: DiskDone): void
  close(): void
}

/** A file that is written at any place, so that it can be used again without growing: a segment of the commit log. */
export interface WriteFile {
  /** Bytes the file has. */
  readonly size: number
  /**
   * Hands the bytes to the operating system before it returns, at offset `at`, which is not beyond the end. When it throws, any part
   * of them may have been taken. Over bytes that were there before nothing is allocated: such a write never meets ENOSPC.
   */
  write(bytes: Uint8Array, at: number): void
  /** Calls `done` once everything written before this call is on the disk (fdatasync). Never blocks. */
  sync(done: DiskDone): void
  close(): void
}

/** A file that is only read. */
export interface ReadFile {
  readonly size: number
  /** Reads up to `into.length` bytes at offset `at`, blocking; returns how many (fewer only at the end of the file). */
  readNow(into: Uint8Array, at: number): number
  read(into: Uint8Array, at: number, done: (error: DiskError | null, count: number) => void): void
  close(): void
}

export interface DiskLock {
  release(): void
}

export interface Disk {
  /** Opens for appending; created when missing. `truncateTo` cuts the file first. */
  appendFile(path: string, options?: { truncateTo?: number }): AppendFile
  /** Opens for writing at any place; created when missing, else with what it holds. */
  writeFile(path: string): WriteFile
  /** ENOENT when missing. */
  readFile(path: string): ReadFile
  exists(path: string): boolean
  /** Names in the directory, sorted; ENOENT when missing. */
  list(directory: string): string[]
  /** With parents; nothing happens when it exists. */
  makeDirectory(path: string): void
  /** Replaces `to` atomically. */
  rename(from: string, to: string): void
  /** A hard link; EEXIST when `to` exists. */
  link(from: string, to: string): void
  /** Removes a file; ENOENT when missing. */
  remove(path: string): void
  /** Removes a directory and all below it; nothing happens when it is missing. */
  removeTree(path: string): void
  /** Makes the names in the directory durable. */
  syncDirectory(path: string, done: DiskDone): void
  /**
   * Takes the lock file for this process. Throws DiskError EBUSY with the holder's process id in its message while a
   * live process holds it; the lock of a process that died is taken over.
   */
  lock(path: string): DiskLock
}
