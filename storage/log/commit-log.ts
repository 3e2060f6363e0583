// The commit log: every mutation is appended here before the memtable takes it, and found again at the next start.
//
// 1. `append` copies a record into the buffer. The records of one event-loop turn make a chunk. What the chunk needs of its
//    segment's file is reserved first: a full disk refuses the record, and nothing has happened.
// 2. `writeOut` hands the chunk to the operating system in one write. From then on a kill of the process loses nothing.
//    Whoever sends an acknowledgement calls it first; at the end of the turn it happens in any case.
// 3. The disk is synced as `sync` says (commit-log-sync.ts). With `batch` and `group` an acknowledgement waits for the sync of
//    its record: `acknowledge`.
// 4. A segment that is full is followed by a new one. When `recycle` is told that nobody needs it, it becomes a spare, which the
//    next segment is made of (commit-log-segments.ts), or is removed.
//
// INVARIANT: bytes are never written behind a failed write. After an error every call throws CommitLogError: what was
// acknowledged is in the memtable and perhaps in the log, and only a restart can tell. With `ignoreFailures` a chunk that could
// not be written goes to a new segment instead, once; when that fails too, whoever acknowledges its records is told, and the
// next ones are tried again.
import { Buffer, type Maybe, assert } from "../../runtime/pure.ts"
import type { Clock } from "../../runtime/clock.ts"
import { type Disk, DiskError, type WriteFile } from "../../runtime/disk.ts"
import { ByteWriter, writeInt32, writeUint16 } from "../../data/bytes.ts"
import type { LogPosition, SegmentHold } from "../../data/local-store.ts"
import { CHUNK_HEADER_BYTES, RECORD_HEADER_BYTES, RECORD_KIND, SEGMENT_HEADER_BYTES, sealChunk } from "./commit-log-format.ts"
import { Segment, SegmentFiles, isDiskFull } from "./commit-log-segments.ts"
import { LogSync } from "./commit-log-sync.ts"
import { CommitLogError, DiskFullError } from "../errors.ts"

/** Between syncs in periodic mode while somebody waits. */
const SYNC_PAUSE_MS = 2
/** A chunk is written before the turn ends when it is this large. */
const CHUNK_BYTES = 1 << 20
const MAX_SPARES = 4

/** When a write is acknowledged: once it is written, once it is synced, or once it is synced with all others of a window. */
export type CommitLogSync = "periodic" | "batch" | "group"

export interface CommitLogOptions {
  /** Told of each new segment. */
  readonly onSegment?: () => void
  /** Told when the disk under the log fails (CommitLogError), and of the first write that a full one refuses (DiskFullError). */
  readonly onFailure?: (error: Error) => void
  readonly segmentBytes: number
  /** Segments and spares together stay below it, as far as it is up to the spares. */
  readonly totalBytes: number
  readonly sync: CommitLogSync
  readonly syncPeriodMs: number
  /** Of `group`. */
  readonly groupWindowMs: number
  readonly ignoreFailures: boolean
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

export class CommitLog {
  readonly #clock: Clock
  readonly #options: CommitLogOptions
  readonly #files: SegmentFiles
  readonly #sync: LogSync
  readonly #segments = new Map<number, Segment>()
  readonly #generation: number
  readonly #buffer = new ByteWriter(64 * 1024)
  #nextSegment: number
  #current: Segment | null = null
  /** Where the chunk in the buffer will start; all its records have this position. Null: the buffer is empty. */
  #chunkAt: LogPosition | null = null
  /** Bytes of the buffer that the current segment has room for. */
  #room = 0
  /** Of the newest record. */
  #last: LogPosition = { segment: 0, offset: 0 }
  /** What the acknowledgements of the chunk at #acknowledgedAt wait for. */
  #acknowledgement: Promise<LogPosition> | null = null
  #acknowledgedAt: LogPosition | null = null
  #turnEndIsSet = false
  #isFull = false
  /** With failures ignored: why the records of this turn are not in the log. */
  #missed: CommitLogError | null = null
  #failure: CommitLogError | null = null
  #closed = false

  /** `replayed`: the segments that replay left, whole and synced. `nextSegment` was never used before. */
  constructor(disk: Disk, clock: Clock, directory: string, replayed: readonly number[], nextSegment: number, options: CommitLogOptions) {
    this.#clock = clock
    this.#options = options
    this.#nextSegment = nextSegment
    this.#generation = Math.floor(clock.nowMicros() / 1000) >>> 0
    this.#files = new SegmentFiles(disk, directory, options.segmentBytes)
    const pauseMs = options.sync === "periodic" ? SYNC_PAUSE_MS : options.sync === "group" ? options.groupWindowMs : 0
    this.#sync = new LogSync(disk, clock, directory, { segment: nextSegment, offset: 0 }, { periodMs: options.syncPeriodMs, pauseMs, ignoreFailures: options.ignoreFailures }, {
      writeOutQuietly: () => this.#writeOutQuietly(),
      unsynced: () => this.#unsynced(),
      synced: () => this.#closeSynced(),
      syncFailed: (error, isForGood) => void (isForGood ? this.#fail(error) : this.#report(error)),
    })
    for (const id of replayed) {
      const segment = new Segment(id, 0, this.#files.pathOf(id), null, null)
      segment.nameIsDurable = true
      this.#segments.set(id, segment)
    }
    this.#buffer.grow(CHUNK_HEADER_BYTES)
  }

  /** Behind everything appended so far. */
  get end(): LogPosition {
    this.writeOut()
    return this.#current === null ? { segment: this.#nextSegment, offset: 0 } : { segment: this.#current.id, offset: this.#current.length }
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

  /**
   * Appends a record of the mutation `source[from, to)` and returns its position, the same for all records of a chunk. Throws
   * CommitLogError, and DiskFullError when the disk has no room for it: then nothing has happened.
   */
  append(source: Buffer, from: number, to: number, extras: RecordExtras | null): LogPosition {
    if (this.#failure !== null) throw this.#failure
    assert(!this.#closed, "the commit log is open")
    const size = RECORD_HEADER_BYTES + (to - from) + (extras === null ? 0 : extras.entries.length + extras.obligations.length)
    const entries = extras === null ? 0 : extras.entryCount
    assert(entries < 1 << 24, "a record has less than 16 million view entries")
    const out = this.#buffer
    if (out.length + size > CHUNK_BYTES && this.#chunkAt !== null) this.writeOut()
    if (out.length + size > this.#room) this.#reserve(size)
    const position = this.#chunkAt ?? this.#startChunk()
    const at = out.grow(RECORD_HEADER_BYTES)
    const buffer = out.buffer
    writeInt32(buffer, at, size)
    buffer[at + 4] = RECORD_KIND.mutation
    buffer[at + 5] = entries >>> 16
    writeUint16(buffer, at + 6, entries & 0xffff)
    writeInt32(buffer, at + 8, extras === null ? 0 : extras.obligationCount)
    out.copy(source, from, to)
    if (extras !== null) {
      out.copy(extras.entries.buffer, 0, extras.entries.length)
      out.copy(extras.obligations.buffer, 0, extras.obligations.length)
    }
    return position
  }

  /** What the acknowledgement of a record waits for: in periodic mode nothing. Rejects with CommitLogError. */
  acknowledge(position: LogPosition): Maybe<LogPosition> {
    if (this.#options.sync === "periodic") return position
    // One promise serves all records of a chunk.
    if (this.#acknowledgement === null || this.#acknowledgedAt !== position) {
      this.#acknowledgedAt = position
      this.#acknowledgement = this.durable(position).then(() => position)
      // Those who wait are told; nobody needs to.
      this.#acknowledgement.catch(() => undefined)
    }
    return this.#acknowledgement
  }

  /** Whether `writeOut` has something to do. */
  get hasUnwritten(): boolean {
    return this.#chunkAt !== null
  }

  /** Hands what is buffered to the operating system. Nothing happens when nothing is. Throws CommitLogError. */
  writeOut(): void {
    if (this.#chunkAt === null) {
      if (this.#missed !== null) throw this.#missed
      return
    }
    if (this.#failure !== null) throw this.#failure
    const segment = this.#current as Segment
    try {
      this.#writeChunk(segment)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      if (!this.#options.ignoreFailures) throw this.#fail(error)
      this.#writeElsewhere(segment, error)
    }
    this.#emptyBuffer()
    this.#sync.written()
  }

  #emptyBuffer(): void {
    const out = this.#buffer
    out.reset()
    // One huge mutation must not keep its memory for ever.
    if (out.buffer.length > 4 * CHUNK_BYTES) out.shrink(CHUNK_BYTES)
    out.grow(CHUNK_HEADER_BYTES)
    this.#chunkAt = null
    this.#setRoom()
  }

  #writeChunk(segment: Segment): void {
    const out = this.#buffer
    sealChunk(out.buffer, out.length, segment.id, segment.generation, segment.length, this.#sync.durable)
    ;(segment.file as WriteFile).write(out.view(), segment.length)
    segment.length += out.length
  }

  /** The chunk goes to a new segment, which is kept as long as the old one: positions and holds name that. */
  #writeElsewhere(failed: Segment, error: DiskError): void {
    this.#report(error)
    try {
      const segment = this.#newSegment(failed)
      this.#files.reserve(segment, segment.length + this.#buffer.length + CHUNK_HEADER_BYTES)
      this.#writeChunk(segment)
    } catch (again) {
      if (!(again instanceof DiskError)) throw again
      const position = this.#chunkAt as LogPosition
      this.#missed = new CommitLogError(position, again)
      this.#sync.failAt(position, this.#missed)
      this.#emptyBuffer()
      throw this.#missed
    }
  }

  /** Calls `done` once a sync has covered the position; at once when one has. Never after a failure that is not ignored. */
  onDurable(position: LogPosition, done: () => void): void {
    this.#sync.wait(position, true, (failure) => {
      if (failure === null) done()
    })
  }

  /** Resolves once a sync has covered the position; rejects with CommitLogError. */
  durable(position: LogPosition): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#sync.wait(position, false, (failure) => (failure === null ? resolve() : reject(failure)))
    })
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

  /** Lets go of the segments that are full, synced, not held and not needed: they become spares, or are removed. Throws DiskError. */
  recycle(isNeeded: (segment: number) => boolean): void {
    for (const segment of this.#segments.values()) {
      const { id, holds, continues } = segment
      if (segment === this.#current || segment.isUnsynced || holds > 0 || isNeeded(id)) continue
      if (continues !== null && this.#segments.has(continues.id)) continue
      this.#segments.delete(id)
      // Those of an earlier start were cut to what they held; one that a huge record had for itself would stay huge.
      const isWhole = segment.length > SEGMENT_HEADER_BYTES && segment.length <= this.#options.segmentBytes
      const fits = (this.#segments.size + this.#files.spareCount + 1) * this.#options.segmentBytes <= this.#options.totalBytes
      this.#files.release(segment, isWhole && fits && this.#files.spareCount < MAX_SPARES && !this.#closed)
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
    if (last !== undefined) await this.durable({ segment: last.id, offset: last.length - 1 }).catch(() => undefined)
    this.#closed = true
    this.#sync.close()
    for (const segment of this.#segments.values()) segment.file?.close()
  }

  /** Makes room for `size` more bytes: in the segment, by making its file larger, or in a new one. */
  #reserve(size: number): void {
    // There is always room for the chunk that ends the segment.
    const needed = this.#buffer.length + size + CHUNK_HEADER_BYTES
    const { segmentBytes } = this.#options
    const segment = this.#current
    // A record that is larger than a segment has one of its own.
    const isFresh = segment !== null && segment.length === SEGMENT_HEADER_BYTES && this.#chunkAt === null
    const fits = segment !== null && !segment.isEnded && (isFresh || segment.length + needed <= segmentBytes)
    if (!fits && this.#chunkAt !== null) {
      this.writeOut()
      this.#reserve(size)
      return
    }
    try {
      const target = fits ? segment : this.#newSegment(null)
      if (target.length + needed > target.roomTo) this.#files.reserve(target, target.length + needed)
      this.#isFull = false
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      throw isDiskFull(error) ? this.#refuse(error) : this.#options.ignoreFailures ? this.#report(error) : this.#fail(error)
    }
    this.#setRoom()
    this.#room = Math.max(this.#room, needed - CHUNK_HEADER_BYTES)
  }

  /** Nothing is written, nothing has failed: the next write tries again. */
  #refuse(error: DiskError): DiskFullError {
    const refusal = new DiskFullError(error)
    if (!this.#isFull) this.#options.onFailure?.(refusal)
    this.#isFull = true
    return refusal
  }

  #setRoom(): void {
    const segment = this.#current
    // A segment that is full has none, however large the file that it was made of.
    this.#room = segment === null ? 0 : Math.min(segment.roomTo, this.#options.segmentBytes) - segment.length - CHUNK_HEADER_BYTES
  }

  #startChunk(): LogPosition {
    const { id, length } = this.#current as Segment
    this.#chunkAt = { segment: id, offset: length }
    this.#last = this.#chunkAt
    if (!this.#turnEndIsSet) {
      this.#turnEndIsSet = true
      this.#clock.atTurnEnd(() => {
        this.#turnEndIsSet = false
        this.#missed = null
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

  /** Throws DiskError. Again when the next segment could not be made. */
  #endSegment(segment: Segment): void {
    if (segment.isEnded) return
    const end = Buffer.alloc(CHUNK_HEADER_BYTES)
    sealChunk(end, end.length, segment.id, segment.generation, segment.length, this.#sync.durable)
    ;(segment.file as WriteFile).write(end, segment.length)
    segment.length += end.length
    segment.isEnded = true
    this.#room = 0
  }

  /** Throws DiskError. */
  #newSegment(continues: Segment | null): Segment {
    const segment = this.#nextSegment
    const previous = this.#current
    if (previous !== null && continues === null) this.#endSegment(previous)
    const header = { segment, generation: this.#generation, previous: previous?.id ?? 0, previousBytes: previous?.length ?? 0 }
    const made = this.#files.create(header, continues)
    this.#nextSegment++
    this.#current = made
    this.#segments.set(segment, made)
    this.#options.onSegment?.()
    return made
  }

  #unsynced(): Segment[] {
    return [...this.#segments.values()].filter(({ isUnsynced }) => isUnsynced)
  }

  #closeSynced(): void {
    for (const segment of this.#segments.values()) {
      if (segment === this.#current || segment.file === null || segment.isUnsynced) continue
      segment.file.close()
      segment.file = null
    }
  }

  #report(error: Error): CommitLogError {
    const failure = new CommitLogError(this.#chunkAt ?? this.#sync.durable, error)
    this.#options.onFailure?.(failure)
    return failure
  }

  #fail(error: Error): CommitLogError {
    if (this.#failure === null) {
      this.#failure = new CommitLogError(this.#chunkAt ?? this.#sync.durable, error)
      this.#sync.fail(this.#failure)
      this.#options.onFailure?.(this.#failure)
    }
    return this.#failure
  }
}
