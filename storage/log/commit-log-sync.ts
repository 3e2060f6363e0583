// When the commit log is synced, and who waits for it.
//
// 1. At least every `periodMs`; and back to back, one sync in flight, while somebody waits. Between the end of one and the
//    start of the next `pauseMs` pass: 2 ms when only views and Paxos wait (periodic), none when every write does (batch: what
//    arrives during a sync shares the next one), the window of group commit (group).
// 2. A sync covers the segments in their order, then their names in the directory. Only then is anything durable.
// 3. A sync that fails ends it for good: what the operating system kept is unknown. With `ignoreFailures` those who wait with
//    their clients are told, and the next sync first writes again what no sync has covered, as it is read back and checked.
import type { Clock, Timer } from "../../runtime/clock.ts"
import type { Disk, DiskError, WriteFile } from "../../runtime/disk.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { LogPosition } from "../../data/local-store.ts"
import { SEGMENT_HEADER_BYTES, chunkEnd } from "./commit-log-format.ts"
import type { Segment } from "./commit-log-segments.ts"
import { CommitLogError, CorruptFileError } from "../errors.ts"

export interface LogSyncOptions {
  readonly periodMs: number
  readonly pauseMs: number
  readonly ignoreFailures: boolean
}

/** What a sync needs of its log. */
export interface SyncedLog {
  /** Hands what is buffered to the operating system. Throws nothing. */
  writeOutQuietly(): void
  /** Segments with bytes that no sync has covered, in order. */
  unsynced(): Segment[]
  /** A sync has ended well. */
  synced(): void
  syncFailed(error: Error, isForGood: boolean): void
}

interface Waiter {
  readonly position: LogPosition
  /** With an error only when `isPatient` is false, or for good. */
  readonly done: (failure: CommitLogError | null) => void
  /** Nobody's answer hangs on it: waits on when a failure is ignored. */
  readonly isPatient: boolean
}

export function isBefore(a: LogPosition, b: LogPosition): boolean {
  return a.segment !== b.segment ? a.segment < b.segment : a.offset < b.offset
}

export class LogSync {
  /** Everything before it is on the disk. */
  durable: LogPosition
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #directory: string
  readonly #options: LogSyncOptions
  readonly #log: SyncedLog
  #waiters: Waiter[] = []
  #isSyncing = false
  #isSet = false
  #lastMs = Number.NEGATIVE_INFINITY
  #timer: Timer | null = null
  #failure: CommitLogError | null = null
  #isClosed = false

  constructor(disk: Disk, clock: Clock, directory: string, durable: LogPosition, options: LogSyncOptions, log: SyncedLog) {
    this.#disk = disk
    this.#clock = clock
    this.#directory = directory
    this.durable = durable
    this.#options = options
    this.#log = log
  }

  wait(position: LogPosition, isPatient: boolean, done: Waiter["done"]): void {
    const isDurable = isBefore(position, this.durable)
    if (isDurable || this.#failure !== null) {
      done(isDurable ? null : this.#failure)
      return
    }
    this.#waiters.push({ position, done, isPatient })
    this.#set()
  }

  /** Something was written: it is synced within the period, or at once when somebody waits. */
  written(): void {
    if (this.#waiters.length > 0) this.#set()
    this.#setTimer()
  }

  #setTimer(): void {
    if (this.#timer !== null || this.#isClosed) return
    this.#timer = this.#clock.after(this.#options.periodMs, () => {
      this.#timer = null
      if (this.#log.unsynced().length > 0) this.#set()
    })
  }

  /** Nothing will be durable any more. */
  fail(failure: CommitLogError): void {
    this.#failure = failure
    this.#tell(failure, this.#waiters.splice(0))
  }

  /** The records at this position are not in the log: those whose answers wait for it are told. */
  failAt(position: LogPosition, failure: CommitLogError): void {
    const isConcerned = (waiter: Waiter): boolean => !waiter.isPatient && !isBefore(waiter.position, position) && !isBefore(position, waiter.position)
    const concerned = this.#waiters.filter(isConcerned)
    this.#waiters = this.#waiters.filter((waiter) => !isConcerned(waiter))
    this.#tell(failure, concerned)
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== null) this.#clock.cancel(this.#timer)
  }

  #set(): void {
    if (this.#isSyncing || this.#isSet || this.#failure !== null) return
    this.#isSet = true
    const waitMs = this.#lastMs + this.#options.pauseMs - this.#clock.monotonicMs()
    // Not before the turn's end: all that wait in this turn share the sync.
    if (waitMs <= 0) this.#clock.atTurnEnd(() => this.#start())
    else this.#clock.after(waitMs, () => this.#start())
  }

  #start(): void {
    this.#isSet = false
    if (this.#isClosed || this.#isSyncing || this.#failure !== null) return
    this.#log.writeOutQuietly()
    const segments = this.#log.unsynced()
    try {
      for (const segment of segments) if (segment.isSuspect) writeAgain(this.#disk, segment)
    } catch (error) {
      this.#failed(error as Error)
      return
    }
    this.#isSyncing = true
    this.#next(segments, 0)
  }

  #next(segments: readonly Segment[], index: number): void {
    const segment = segments[index]
    if (segment === undefined) {
      this.#names(segments)
      return
    }
    const { length } = segment
    ;(segment.file as WriteFile).sync((error) => {
      if (error !== null) {
        for (const suspect of segments.slice(index)) suspect.isSuspect = true
        this.#ended(error)
        return
      }
      segment.syncedBytes = length
      this.#next(segments, index + 1)
    })
  }

  #names(segments: readonly Segment[]): void {
    const unnamed = segments.filter((segment) => !segment.nameIsDurable)
    if (unnamed.length === 0) {
      this.#synced(segments)
      return
    }
    this.#disk.syncDirectory(this.#directory, (error) => {
      if (error !== null) {
        // Without their names they are as good as unsynced.
        for (const segment of unnamed) segment.syncedBytes = 0
        this.#ended(error)
        return
      }
      for (const segment of unnamed) segment.nameIsDurable = true
      this.#synced(segments)
    })
  }

  #synced(segments: readonly Segment[]): void {
    this.#isSyncing = false
    this.#lastMs = this.#clock.monotonicMs()
    const last = segments.at(-1)
    if (last !== undefined) this.durable = { segment: last.id, offset: last.syncedBytes }
    this.#log.synced()
    const waiting = this.#waiters
    this.#waiters = waiting.filter(({ position }) => !isBefore(position, this.durable))
    // Who waits for a record that the disk did not take (ignoreFailures) waits for the next one: nothing to sync until then.
    if (this.#waiters.length > 0 && segments.length > 0) this.#set()
    this.#tell(null, waiting.filter(({ position }) => isBefore(position, this.durable)))
  }

  #ended(error: DiskError): void {
    this.#isSyncing = false
    this.#lastMs = this.#clock.monotonicMs()
    this.#failed(error)
  }

  #failed(error: Error): void {
    // What was read back is not what was written: nothing can mend that.
    if (!this.#options.ignoreFailures || error instanceof CorruptFileError) {
      this.#log.syncFailed(error, true)
      return
    }
    const impatient = this.#waiters.filter(({ isPatient }) => !isPatient)
    this.#waiters = this.#waiters.filter(({ isPatient }) => isPatient)
    this.#log.syncFailed(error, false)
    // Not at once: a disk that fails would be asked without end.
    this.#setTimer()
    this.#tell(new CommitLogError(this.durable, error), impatient)
  }

  #tell(failure: CommitLogError | null, waiters: readonly Waiter[]): void {
    for (const { done } of waiters) done(failure)
  }
}

/**
 * After a failed sync the operating system may take pages for clean that never reached the disk. Reads the segment back, checks
 * that it is still what was written, and makes it dirty again. Throws DiskError, CorruptFileError.
 */
function writeAgain(disk: Disk, segment: Segment): void {
  const reader = disk.readFile(segment.path)
  const bytes = Buffer.allocUnsafe(segment.length)
  const count = reader.readNow(bytes, 0)
  reader.close()
  let at = SEGMENT_HEADER_BYTES
  while (count === segment.length && at < segment.length) {
    const end = chunkEnd(bytes, at, segment.id, segment.generation)
    if (end === 0) break
    at = end
  }
  if (at !== segment.length) throw new CorruptFileError(segment.path, at, "expected the chunk that was written before a sync failed")
  ;(segment.file as WriteFile).write(bytes, 0)
  segment.isSuspect = false
}
