// Flushes: memtables on their way to SSTables, and the writes that wait for room in them.
//
// A flush: freeze the memtable at a chunk boundary P of the log; a job writes the SSTable; sync the log through P, because
// a record may have parts in several tables and none may become durable without the others; let the manifest name the new
// SSTable together with "replay from P"; only then swap them in memory and let segments go.
//
// Flushes run one at a time in the order in which they were asked for, because "replay from" speaks for everything before
// it. One that fails is tried again until it succeeds; writes wait when memtables are overfull meanwhile.
import type { Timer } from "../runtime/clock.ts"
import type { LogPosition } from "../data/local-store.ts"
import type { Maybe } from "../runtime/pure.ts"
import type { Background } from "./background.ts"
import { isDiskFull } from "./log/commit-log-segments.ts"
import { DiskFullError } from "./errors.ts"
import type { ManifestSSTable } from "./manifest.ts"
import type { MemorySpace } from "./memtable/memory-space.ts"
import type { Memtable } from "./memtable/memtable.ts"
import { type SSTableFiles, sstablePath } from "./sstable/sstable-files.ts"
import type { StoreState } from "./store-state.ts"
import type { TableStore } from "./table-store.ts"

import type {} from "./jobs/flush.ts"

const RETRY_MS = 1000

interface FlushTask {
  readonly table: TableStore
  readonly memtable: Memtable
  /** Everything before it is in this memtable or flushed. */
  readonly position: LogPosition
  /** The second at which the memtable was frozen: its last write had arrived. */
  readonly arrivedBy: number
  readonly generation: number
  readonly done: PromiseWithResolvers<void>
}

interface Waiter {
  readonly sinceMs: number
  readonly room: PromiseWithResolvers<void>
}

export class Flushes {
  readonly #state: StoreState
  readonly #space: MemorySpace
  readonly #files: SSTableFiles
  readonly #background: Background
  /** Called when a table has been flushed. */
  readonly #flushed: (table: TableStore) => void
  readonly #queue: FlushTask[] = []
  #isFlushing = false
  #retry: Timer | null = null
  /** Calls that wait for room in the memtables, in order. */
  #waiting: Waiter[] = []
  /** Up to where the log has been replayed; null: all of it. */
  #replayedTo: LogPosition | null = { segment: 0, offset: 0 }
  /** The last flush found no room on the disk. */
  #diskFull: DiskFullError | null = null
  #isRefusing = false

  constructor(state: StoreState, files: SSTableFiles, background: Background, flushed: (table: TableStore) => void) {
    this.#state = state
    this.#space = state.space
    this.#files = files
    this.#background = background
    this.#flushed = flushed
  }

  /** Flushes what the table's memtable holds now, and what is on its way. */
  flush(table: TableStore): Promise<void> {
    if (table.active.isEmpty) {
      const last = this.#queue.findLast((task) => task.table === table)
      return last === undefined ? Promise.resolve() : last.done.promise
    }
    const position = this.#replayedTo ?? this.#state.log.end
    const { generation } = table
    const done = Promise.withResolvers<void>()
    const arrivedBy = Math.ceil(this.#state.clock.nowMicros() / 1e6)
    this.#queue.push({ table, memtable: table.switchMemtable(), position, arrivedBy, generation, done })
    this.#flushNext()
    return done.promise
  }

  /** Flushes the largest memtable, or those that keep the log from becoming shorter. */
  makeRoom(): void {
    if (this.#background.isClosed) return
    while (this.#space.isFull) {
      let largest: TableStore | null = null
      for (const table of this.#state.tables.values()) {
        if (!table.active.isEmpty && (largest === null || table.active.totalBytes > largest.active.totalBytes)) largest = table
      }
      if (largest === null) return
      this.#flushQuietly(largest)
    }
  }

  /** Called when the log gets a new segment: too many, and the tables that the oldest one waits for are flushed. */
  shortenLog(): void {
    const { log, options, tables } = this.#state
    // Flushes that are on their way shorten it already: more of them, each of a little memtable, would only fall behind.
    if (this.#background.isClosed || this.#queue.length > 0 || log.segmentCount * options.commitlogSegmentBytes <= options.commitlogTotalBytes) return
    const oldest = Math.min(...[...tables.values()].map((table) => table.active.firstSegment))
    for (const table of tables.values()) if (table.active.firstSegment === oldest && !table.active.isEmpty) this.#flushQuietly(table)
  }

  /** Resolves when memtables are not overfull any more; sees to it that they are being flushed. Rejects with DiskFullError when that cannot be. */
  room(): Promise<void> {
    this.makeRoom()
    if (this.#diskFull !== null) return Promise.reject(this.#refusal(this.#diskFull))
    const room = Promise.withResolvers<void>()
    this.#waiting.push({ sinceMs: this.#state.clock.monotonicMs(), room })
    return room.promise
  }

  /** Everything in the log before `end` is in memtables: flushes what is too much. A promise when it must be waited for. */
  replayed(end: LogPosition): Maybe<void> {
    this.#replayedTo = end
    if (this.#space.isFull) this.makeRoom()
    if (this.#space.isOverfull) return this.room()
  }

  replayEnded(): void {
    this.#replayedTo = null
    this.recycle()
    this.makeRoom()
  }

  /** Lets go of log segments that nobody needs. */
  recycle(): void {
    // What has not been replayed is in no memtable yet.
    if (this.#replayedTo !== null) return
    const { log, tables, manifest } = this.#state
    log.recycle((segment) => {
      // Otherwise the next start could not tell it from one that a loss of power took.
      if (segment > manifest.state.durableSegment) return true
      for (const table of tables.values()) if (table.needsSegment(segment)) return true
      return false
    })
  }

  /** How long the write that has waited for room longest has done so. */
  get longestWaitMs(): number {
    const first = this.#waiting[0]
    return first === undefined ? 0 : this.#state.clock.monotonicMs() - first.sinceMs
  }

  /** Lets writes go on that wait for room, if there is some. */
  wake(): void {
    if (this.#space.isOverfull && !this.#background.isClosed) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const { room } of waiting) room.resolve()
  }

  cancelRetry(): void {
    if (this.#retry !== null) this.#state.clock.cancel(this.#retry)
  }

  /** Nothing more will be flushed. Data that was not stays in the log. */
  end(): void {
    for (const task of this.#queue.splice(0)) task.done.reject(this.#background.signal.reason)
    this.wake()
  }

  #flushQuietly(table: TableStore): void {
    // Failures are reported and retried where they happen.
    this.flush(table).catch(() => undefined)
  }

  #flushNext(): void {
    const task = this.#queue[0]
    if (task === undefined || this.#isFlushing || this.#background.isClosed) return
    this.#isFlushing = true
    this.#background.run(async () => {
      try {
        await this.#flushTask(task)
        this.#diskFull = null
        this.#isRefusing = false
        this.#queue.shift()
        task.done.resolve()
        this.#isFlushing = false
        this.wake()
        this.#flushNext()
        this.shortenLog()
        this.#flushed(task.table)
      } catch (error) {
        task.done.reject(error)
        if (isDiskFull(error)) this.#refuseWaiting(new DiskFullError(error))
        if (!this.#background.isClosed) this.#retry = this.#state.clock.after(RETRY_MS, () => this.#flushAgain())
        throw error
      }
    })
  }

  /** They would wait until somebody makes room; their writes have changed nothing yet. */
  #refuseWaiting(error: DiskFullError): void {
    this.#diskFull = error
    if (this.#waiting.length > 0) this.#refusal(error)
    for (const { room } of this.#waiting.splice(0)) room.reject(error)
  }

  /** The owner hears of the first write that is refused. */
  #refusal(error: DiskFullError): DiskFullError {
    if (!this.#isRefusing) this.#state.events.logFailed?.(error)
    this.#isRefusing = true
    return error
  }

  #flushAgain(): void {
    this.#retry = null
    this.#isFlushing = false
    this.#flushNext()
  }

  async #flushTask({ table, memtable, position, arrivedBy, generation }: FlushTask): Promise<void> {
    if (table.generation !== generation) return
    const number = this.#files.reserve(1)
    const path = sstablePath(await this.#files.directory(table), number)
    const spec = { table: table.schema.descriptor, slabs: memtable.arena.slabs, shards: memtable.index.shards(), path }
    const result = await unlessCleared(table, generation, this.#state.jobs.run("flush", spec, this.#background.signal))
    if (result === null) return
    await durableBefore(this.#state, position)
    const added: ManifestSSTable[] = result.written === null ? [] : [{ number, level: 0, arrivedBy, createdAt: arrivedBy }]
    const wasCommitted = await this.#files.commit(table, generation, { sstables: (old) => [...added, ...old], replayFrom: position, made: added.map((place) => place.number) })
    if (!wasCommitted) {
      if (result.written !== null) this.#files.removeUnused(table, number)
      return
    }
    table.sstables = [...added.map((place) => this.#files.open(table, place)), ...table.sstables]
    table.forget(memtable)
    table.replayFrom = position
    this.recycle()
  }
}

/** Resolves when everything before the position is durable. */
export function durableBefore({ log }: StoreState, position: LogPosition): Promise<void> {
  // The position is behind the last record that counts.
  return position.offset === 0 ? Promise.resolve() : log.durable({ segment: position.segment, offset: position.offset - 1 })
}

/** The job's result; null when it failed because the table was truncated or dropped under it, with its files. */
export async function unlessCleared<T>(table: TableStore, generation: number, job: Promise<T>): Promise<T | null> {
  try {
    return await job
  } catch (error) {
    if (table.generation !== generation) return null
    throw error
  }
}
