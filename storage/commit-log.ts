// The commit log: every mutation is appended here before the memtable takes it, and found again at the next start.
//
// 1. `append` copies a record into the buffer. The records of one event-loop turn make a chunk.
// 2. `writeOut` hands the chunk to the operating system in one write. From then on a kill of the process loses nothing.
//    Whoever sends an acknowledgement calls it first; at the end of the turn it happens in any case.
// 3. The disk is synced every `syncPeriodMs`, and back to back (one sync in flight, pauses of SYNC_PAUSE_MS) while somebody
//    waits in `onDurable`. A sync covers the segments in their order, then their names in the directory.
// 4. A segment that is full is followed by a new one, and removed when `recycle` is told that nobody needs it.
//
// INVARIANT: bytes are never written behind a failed write. After an error every call throws CommitLogError: what was
// acknowledged is in the memtable and perhaps in the log, and only a restart can tell.
import { type Buffer, assert } from "../runtime/pure.ts"
import type { Clock, Timer } from "../runtime/clock.ts"
import type { AppendFile, Disk, DiskError } from "../runtime/disk.ts"
import { ByteWriter } from "../data/bytes.ts"
import type { LogPosition, SegmentHold } from "../data/local-store.ts"
import { CHUNK_HEADER_BYTES, RECORD_HEADER_BYTES, RECORD_KIND, encodeSegmentHeader, sealChunk, segmentName } from "./commit-log-format.ts"
import { CommitLogError } from "./errors.ts"

const SYNC_PAUSE_MS = 2
/** A chunk is written before the turn ends when it is this large. */
const CHUNK_BYTES = 1 << 20

export interface CommitLogOptions {
  /** Told of each new segment. */
  readonly onSegment?: () => void
  readonly segmentBytes: number
  readonly syncPeriodMs: number
}

/** What goes into a record behind its mutation. */
export interface RecordExtras {
  readonly entryCount: number
  /** Mutations one behind the other. */
  readonly entries: ByteWriter
  readonly obligationCount: number
  /** { u32 size, bytes } one behind the other. */
  readonly obligations: ByteWriter
}

interface Segment {
  readonly id: number
  readonly path: string
  /** Null for a segment of an earlier start, and for one that is full and synced. */
  file: AppendFile | null
  /** Bytes that a sync has covered. */
  syncedBytes: number
  nameIsDurable: boolean
  holds: number
}

interface Waiter {
  readonly position: LogPosition
  readonly done: (failure: CommitLogError | null) => void
}

export function isBefore(a: LogPosition, b: LogPosition): boolean {
  return a.segment !== b.segment ? a.segment < b.segment : a.offset < b.offset
}

export class CommitLog {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #directory: string
  readonly #options: CommitLogOptions
  readonly #segments = new Map<number, Segment>()
  readonly #buffer = new ByteWriter(64 * 1024)
  #nextSegment: number
  #current: Segment | null = null
  /** Where the chunk in the buffer will start; all its records have this position. Null: the buffer is empty. */
  #chunkAt: LogPosition | null = null
  /** Of the newest record. */
  #last: LogPosition = { segment: 0, offset: 0 }
  #durable: LogPosition
  #waiters: Waiter[] = []
  #turnEndIsSet = false
  #syncing = false
  #syncIsSet = false
  #lastSyncMs = Number.NEGATIVE_INFINITY
  #periodTimer: Timer | null = null
  #failure: CommitLogError | null = null
  #closed = false

  /** `replayed`: the segments that replay left, whole and synced. `nextSegment` was never used before. */
  constructor(disk: Disk, clock: Clock, directory: string, replayed: readonly number[], nextSegment: number, options: CommitLogOptions) {
    this.#disk = disk
    this.#clock = clock
    this.#directory = directory
    this.#options = options
    this.#nextSegment = nextSegment
    this.#durable = { segment: nextSegment, offset: 0 }
    for (const id of replayed) {
      this.#segments.set(id, { id, path: `${directory}/${segmentName(id)}`, file: null, syncedBytes: 0, nameIsDurable: true, holds: 0 })
    }
    this.#buffer.grow(CHUNK_HEADER_BYTES)
  }

  /** Behind everything appended so far. */
  get end(): LogPosition {
    this.writeOut()
    return this.#current === null ? { segment: this.#nextSegment, offset: 0 } : { segment: this.#current.id, offset: (this.#current.file as AppendFile).size }
  }

  /** Position of the newest record; before all others when there is none yet. */
  get last(): LogPosition {
    return this.#last
  }

  /**
   * The largest mutation that clients may write. What belongs to it (view entries, obligations) comes on top: a replica must not
   * refuse what others took because it has more rows that a deletion covers.
   */
  get maximumMutationBytes(): number {
    return this.#options.segmentBytes / 2
  }

  /** Appends a record of the mutation `source[from, to)` and returns its position, the same for all records of a chunk. */
  append(source: Buffer, from: number, to: number, extras: RecordExtras | null): LogPosition {
    if (this.#failure !== null) throw this.#failure
    assert(!this.#closed, "the commit log is open")
    const size = RECORD_HEADER_BYTES + (to - from) + (extras === null ? 0 : extras.entries.length + extras.obligations.length)
    const entries = extras === null ? 0 : extras.entryCount
    assert(entries < 1 << 24, "a record has less than 16 million view entries")
    const out = this.#buffer
    if (out.length + size > CHUNK_BYTES && this.#chunkAt !== null) this.writeOut()
    const position = this.#chunkAt ?? this.#startChunk()
    const at = out.grow(RECORD_HEADER_BYTES)
    const buffer = out.buffer
    buffer.writeUInt32BE(size, at)
    buffer[at + 4] = RECORD_KIND.mutation
    buffer[at + 5] = entries >>> 16
    buffer.writeUInt16BE(entries & 0xffff, at + 6)
    buffer.writeUInt32BE(extras === null ? 0 : extras.obligationCount, at + 8)
    out.copy(source, from, to)
    if (extras !== null) {
      out.copy(extras.entries.buffer, 0, extras.entries.length)
      out.copy(extras.obligations.buffer, 0, extras.obligations.length)
    }
    return position
  }

  /** Whether `writeOut` has something to do. */
  get hasUnwritten(): boolean {
    return this.#chunkAt !== null
  }

  /** Hands what is buffered to the operating system. Nothing happens when nothing is. Throws CommitLogError. */
  writeOut(): void {
    const position = this.#chunkAt
    if (position === null) return
    if (this.#failure !== null) throw this.#failure
    const out = this.#buffer
    const segment = this.#current as Segment
    sealChunk(out.buffer, out.length, position.segment, position.offset, this.#durable.segment, this.#durable.offset)
    try {
      ;(segment.file as AppendFile).write(out.view())
    } catch (error) {
      throw this.#fail(error as Error)
    }
    out.reset()
    // One huge mutation must not keep its memory for ever.
    if (out.buffer.length > 4 * CHUNK_BYTES) out.shrink(CHUNK_BYTES)
    out.grow(CHUNK_HEADER_BYTES)
    this.#chunkAt = null
    this.#setPeriodTimer()
  }

  /** Calls `done` once a sync has covered the position; at once when one has. Never after a failure. */
  onDurable(position: LogPosition, done: () => void): void {
    this.#wait(position, (failure) => {
      if (failure === null) done()
    })
  }

  /** Resolves once a sync has covered the position; rejects with CommitLogError. */
  durable(position: LogPosition): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#wait(position, (failure) => (failure === null ? resolve() : reject(failure)))
    })
  }

  #wait(position: LogPosition, done: Waiter["done"]): void {
    if (this.#isDurable(position) || this.#failure !== null) {
      done(this.#isDurable(position) ? null : this.#failure)
      return
    }
    this.#waiters.push({ position, done })
    this.#setSync()
  }

  hold(position: LogPosition): SegmentHold {
    const segment = this.#segments.get(position.segment)
    // A position in a segment that is gone: what it kept is flushed and delivered, there is nothing left to keep.
    if (segment === undefined) return { release: () => undefined }
    segment.holds++
    let released = false
    return {
      release: () => {
        if (!released) segment.holds--
        released = true
      },
    }
  }

  /** Removes the segments that are full, synced, not held and not needed. */
  recycle(isNeeded: (segment: number) => boolean): void {
    for (const segment of this.#segments.values()) {
      if (segment === this.#current || segment.holds > 0 || isNeeded(segment.id)) continue
      if (segment.file !== null && segment.file.size > segment.syncedBytes) continue
      segment.file?.close()
      this.#disk.remove(segment.path)
      this.#segments.delete(segment.id)
    }
  }

  get segmentCount(): number {
    return this.#segments.size
  }

  /** Writes, syncs and closes. Throws nothing; twice is once. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#writeOutQuietly()
    const last = this.#unsynced().at(-1)
    // A failure has been told to whoever acknowledges; closing has nothing to add.
    if (last !== undefined) await this.durable({ segment: last.id, offset: (last.file as AppendFile).size - 1 }).catch(() => undefined)
    this.#closed = true
    if (this.#periodTimer !== null) this.#clock.cancel(this.#periodTimer)
    for (const segment of this.#segments.values()) segment.file?.close()
  }

  #startChunk(): LogPosition {
    let segment = this.#current
    if (segment === null || (segment.file as AppendFile).size >= this.#options.segmentBytes) segment = this.#newSegment()
    this.#chunkAt = { segment: segment.id, offset: (segment.file as AppendFile).size }
    this.#last = this.#chunkAt
    if (!this.#turnEndIsSet) {
      this.#turnEndIsSet = true
      this.#clock.atTurnEnd(() => {
        this.#turnEndIsSet = false
        if (!this.#closed) this.#writeOutQuietly()
      })
    }
    return this.#chunkAt
  }

  #writeOutQuietly(): void {
    try {
      this.writeOut()
    } catch (error) {
      // Kept as #failure: the next caller is told. Nobody waits for this call.
      if (!(error instanceof CommitLogError)) throw error
    }
  }

  #newSegment(): Segment {
    const id = this.#nextSegment++
    const previous = this.#segments.get(id - 1)
    const previousBytes = previous === undefined ? 0 : previous.file === null ? previous.syncedBytes : previous.file.size
    const path = `${this.#directory}/${segmentName(id)}`
    try {
      const file = this.#disk.appendFile(path)
      file.write(encodeSegmentHeader(id, previousBytes === 0 ? 0 : id - 1, previousBytes))
      this.#current = { id, path, file, syncedBytes: 0, nameIsDurable: false, holds: 0 }
    } catch (error) {
      throw this.#fail(error as Error)
    }
    this.#segments.set(id, this.#current)
    this.#options.onSegment?.()
    return this.#current
  }

  #isDurable(position: LogPosition): boolean {
    return isBefore(position, this.#durable)
  }

  #setSync(): void {
    if (this.#syncing || this.#syncIsSet || this.#failure !== null) return
    this.#syncIsSet = true
    const waitMs = this.#lastSyncMs + SYNC_PAUSE_MS - this.#clock.monotonicMs()
    // Not before the turn's end: all that wait in this turn share the sync.
    if (waitMs <= 0) this.#clock.atTurnEnd(() => this.#startSync())
    else this.#clock.after(waitMs, () => this.#startSync())
  }

  #setPeriodTimer(): void {
    if (this.#periodTimer !== null || this.#closed) return
    this.#periodTimer = this.#clock.after(this.#options.syncPeriodMs, () => {
      this.#periodTimer = null
      if (this.#unsynced().length > 0) this.#setSync()
    })
  }

  #unsynced(): Segment[] {
    return [...this.#segments.values()].filter(({ file, syncedBytes }) => file !== null && file.size > syncedBytes)
  }

  #startSync(): void {
    this.#syncIsSet = false
    if (this.#closed || this.#syncing || this.#failure !== null) return
    this.#writeOutQuietly()
    const segments = this.#unsynced()
    this.#syncing = true
    this.#syncNext(segments, 0)
  }

  #syncNext(segments: readonly Segment[], index: number): void {
    const segment = segments[index]
    if (segment === undefined) {
      this.#syncNames(segments)
      return
    }
    const file = segment.file as AppendFile
    const size = file.size
    file.sync((error) => {
      if (error !== null) return this.#syncFailed(error)
      segment.syncedBytes = size
      this.#syncNext(segments, index + 1)
    })
  }

  #syncNames(segments: readonly Segment[]): void {
    const unnamed = segments.filter((segment) => !segment.nameIsDurable)
    if (unnamed.length === 0) return this.#synced(segments)
    this.#disk.syncDirectory(this.#directory, (error) => {
      if (error !== null) return this.#syncFailed(error)
      for (const segment of unnamed) segment.nameIsDurable = true
      this.#synced(segments)
    })
  }

  #synced(segments: readonly Segment[]): void {
    this.#syncing = false
    this.#lastSyncMs = this.#clock.monotonicMs()
    const last = segments.at(-1)
    if (last !== undefined) this.#durable = { segment: last.id, offset: last.syncedBytes }
    for (const segment of this.#segments.values()) {
      if (segment === this.#current || segment.file === null || segment.file.size > segment.syncedBytes) continue
      segment.file.close()
      segment.file = null
    }
    const waiting = this.#waiters
    this.#waiters = waiting.filter(({ position }) => !this.#isDurable(position))
    if (this.#waiters.length > 0) this.#setSync()
    for (const { position, done } of waiting) if (this.#isDurable(position)) done(null)
  }

  #syncFailed(error: DiskError): void {
    this.#syncing = false
    this.#fail(error)
  }

  #fail(error: Error): CommitLogError {
    this.#failure ??= new CommitLogError(this.#chunkAt ?? this.#durable, error)
    const waiting = this.#waiters
    this.#waiters = []
    for (const { done } of waiting) done(this.#failure)
    return this.#failure
  }
}
