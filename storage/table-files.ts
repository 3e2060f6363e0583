// What becomes of memtables and SSTables in the background: flush, compaction, truncation, dropped tables.
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
import { isDiskFull } from "./commit-log-segments.ts"
import { DiskFullError } from "./errors.ts"
import { syncDirectory } from "./sync-files.ts"
import { type ManifestState, withTable } from "./manifest.ts"
import type { MemorySpace } from "./memory-space.ts"
import type { Memtable } from "./memtable.ts"
import { chooseCompaction } from "./size-tiered.ts"
import { SSTable } from "./sstable.ts"
import type { StoreState } from "./store-state.ts"
import type { TableStore } from "./table-store.ts"

import type {} from "./jobs/compact.ts"
import type {} from "./jobs/flush.ts"

const RETRY_MS = 1000

interface FlushTask {
  readonly table: TableStore
  readonly memtable: Memtable
  /** Everything before it is in this memtable or flushed. */
  readonly position: LogPosition
  readonly generation: number
  readonly done: PromiseWithResolvers<void>
}

export function sstablePath(directory: string, number: number): string {
  return `${directory}/${String(number).padStart(8, "0")}.sst`
}

export class TableFiles {
  readonly #state: StoreState
  readonly #space: MemorySpace
  readonly #abort = new AbortController()
  readonly #queue: FlushTask[] = []
  #isFlushing = false
  #retry: Timer | null = null
  #nextNumber: number
  /** Calls that wait for room in the memtables. */
  #waiting: PromiseWithResolvers<void>[] = []
  /** Up to where the log has been replayed; null: all of it. */
  #replayedTo: LogPosition | null = { segment: 0, offset: 0 }
  /** The last flush found no room on the disk. */
  #diskFull: DiskFullError | null = null
  readonly #background = new Set<Promise<unknown>>()
  #isClosed = false

  constructor(state: StoreState) {
    this.#state = state
    this.#space = state.space
    this.#nextNumber = state.manifest.state.nextNumber
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
    this.#queue.push({ table, memtable: table.switchMemtable(), position, generation, done })
    this.#flushNext()
    return done.promise
  }

  /** Flushes the largest memtable, or those that keep the log from becoming shorter. */
  makeRoom(): void {
    if (this.#isClosed) return
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
    if (this.#isClosed || this.#queue.length > 0 || log.segmentCount * options.commitlogSegmentBytes <= options.commitlogTotalBytes) return
    const oldest = Math.min(...[...tables.values()].map((table) => table.active.firstSegment))
    for (const table of tables.values()) if (table.active.firstSegment === oldest && !table.active.isEmpty) this.#flushQuietly(table)
  }

  /** Resolves when memtables are not overfull any more; sees to it that they are being flushed. Rejects with DiskFullError when that cannot be. */
  room(): Promise<void> {
    this.makeRoom()
    if (this.#diskFull !== null) return Promise.reject(this.#diskFull)
    const waiting = Promise.withResolvers<void>()
    this.#waiting.push(waiting)
    return waiting.promise
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

  async truncate(table: TableStore): Promise<void> {
    const position = this.#state.log.end
    const sstables = table.clear()
    // What came before it in the log must not be lost when the truncation is not.
    await this.#durable(position)
    await this.#state.manifest.commit((state) => withTable(state, table.id, ({ id }) => ({ id, replayFrom: position, sstables: [] })))
    table.replayFrom = position
    this.#removeFiles(sstables)
    this.recycle()
    this.#wake()
  }

  /** Removes everything of a table that is not among the tables any more. */
  drop(table: TableStore): void {
    const sstables = table.clear()
    this.#inBackground(async () => {
      await this.#state.manifest.commit((state) => withoutTable(state, table.id))
      for (const sstable of sstables) sstable.retire()
      this.#state.disk.removeTree(this.#state.directory.tablePath(table.id))
      this.recycle()
    })
    this.#wake()
  }

  /** Ends what runs. Data that was not flushed stays in the log. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#abort.abort(new Error("the store is being closed"))
    if (this.#retry !== null) this.#state.clock.cancel(this.#retry)
    while (this.#background.size > 0) await Promise.allSettled(this.#background)
    await this.#state.manifest.settled()
    for (const task of this.#queue.splice(0)) task.done.reject(this.#abort.signal.reason)
    this.#wake()
  }

  #flushQuietly(table: TableStore): void {
    // Failures are reported and retried where they happen.
    this.flush(table).catch(() => undefined)
  }

  #inBackground(work: () => Promise<void>): void {
    const promise = work().catch((error: unknown) => this.#report(error))
    this.#background.add(promise)
    void promise.finally(() => this.#background.delete(promise))
  }

  #report(error: unknown): void {
    if (this.#isClosed) return
    if (!(error instanceof Error)) throw error
    this.#state.events.failed?.(error)
  }

  #flushNext(): void {
    const task = this.#queue[0]
    if (task === undefined || this.#isFlushing || this.#isClosed) return
    this.#isFlushing = true
    this.#inBackground(async () => {
      try {
        await this.#flushTask(task)
        this.#diskFull = null
        this.#queue.shift()
        task.done.resolve()
        this.#isFlushing = false
        this.#wake()
        this.#flushNext()
        this.shortenLog()
        this.#compact(task.table)
      } catch (error) {
        task.done.reject(error)
        if (isDiskFull(error)) this.#refuseWaiting(new DiskFullError(error))
        if (!this.#isClosed) this.#retry = this.#state.clock.after(RETRY_MS, () => this.#flushAgain())
        throw error
      }
    })
  }

  /** They would wait until somebody makes room; their writes have changed nothing yet. */
  #refuseWaiting(error: DiskFullError): void {
    this.#diskFull = error
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }

  #flushAgain(): void {
    this.#retry = null
    this.#isFlushing = false
    this.#flushNext()
  }

  async #flushTask({ table, memtable, position, generation }: FlushTask): Promise<void> {
    if (table.generation !== generation) return
    const number = this.#nextNumber++
    const path = await this.#newPath(table, number)
    const spec = { table: table.schema.descriptor, slabs: memtable.arena.slabs, shards: memtable.index.shards(), path }
    const result = await unlessCleared(table, generation, this.#state.jobs.run("flush", spec, this.#abort.signal))
    if (result === null) return
    await this.#durable(position)
    const added = result.written === null ? [] : [number]
    const wasCommitted = await this.#commit(table, generation, (sstables) => [...added, ...sstables], position)
    if (!wasCommitted) return this.#removeUnused(table, path, result.written !== null)
    const opened = added.map(() => SSTable.open(this.#state.disk, number, path, this.#state.cache, this.#state.pace))
    table.sstables = [...opened, ...table.sstables]
    table.forget(memtable)
    table.replayFrom = position
    this.recycle()
  }

  #compact(table: TableStore): void {
    if (table.isCompacting || this.#isClosed) return
    const chosen = chooseCompaction(table.sstables)
    if (chosen === null) return
    table.isCompacting = true
    this.#inBackground(async () => {
      try {
        await this.#compactTask(table, chosen)
      } finally {
        table.isCompacting = false
      }
      this.#compact(table)
    })
  }

  async #compactTask(table: TableStore, chosen: readonly number[]): Promise<void> {
    const { generation } = table
    const inputs = table.sstables.filter(({ number }) => chosen.includes(number))
    const number = this.#nextNumber++
    const path = await this.#newPath(table, number)
    const spec = { table: table.schema.descriptor, inputs: inputs.map((input) => input.path), path }
    const result = await unlessCleared(table, generation, this.#state.jobs.run("compact", spec, this.#abort.signal))
    if (result === null) return
    // In place of the newest of its inputs.
    const replace = <T>(all: readonly T[], isInput: (item: T) => boolean, output: readonly T[]): T[] => {
      const first = all.findIndex(isInput)
      return [...all.slice(0, first), ...output, ...all.slice(first).filter((item) => !isInput(item))]
    }
    const added = result.written === null ? [] : [number]
    const wasCommitted = await this.#commit(table, generation, (sstables) => replace(sstables, (other) => chosen.includes(other), added), null)
    if (!wasCommitted) return this.#removeUnused(table, path, result.written !== null)
    const opened = added.map(() => SSTable.open(this.#state.disk, number, path, this.#state.cache, this.#state.pace))
    table.sstables = replace(table.sstables, (other) => inputs.includes(other), opened)
    this.#removeFiles(inputs)
  }

  /** Changes the table's SSTables in the manifest; false when its data was thrown away in the meantime. */
  async #commit(table: TableStore, generation: number, change: (sstables: readonly number[]) => number[], replayFrom: LogPosition | null): Promise<boolean> {
    await this.#state.manifest.commit((state) => {
      if (table.generation !== generation) return null
      const changed = withTable(state, table.id, (old) => ({ id: old.id, replayFrom: replayFrom ?? old.replayFrom, sstables: change(old.sstables) }))
      return { ...changed, nextNumber: Math.max(state.nextNumber, this.#nextNumber) }
    })
    return table.generation === generation
  }

  async #newPath(table: TableStore, number: number): Promise<string> {
    const { disk, directory } = this.#state
    const path = directory.tablePath(table.id)
    if (!disk.exists(path)) {
      disk.makeDirectory(path)
      await syncDirectory(disk, directory.tablesPath)
    }
    return sstablePath(path, number)
  }

  /** A new file that came too late. A truncation that overtook its commit may have seen it in the manifest: then it is gone already. */
  #removeUnused(table: TableStore, path: string, exists: boolean): void {
    if (!exists || !this.#state.disk.exists(path)) return
    const number = Number(/(\d+)\.sst$/.exec(path)?.[1])
    if (table.sstables.some((other) => other.number === number)) return
    this.#state.disk.remove(path)
  }

  #removeFiles(sstables: readonly SSTable[]): void {
    for (const sstable of sstables) {
      sstable.retire()
      this.#state.disk.remove(sstable.path)
    }
  }

  #durable(position: LogPosition): Promise<void> {
    // The position is behind the last record that counts.
    return position.offset === 0 ? Promise.resolve() : this.#state.log.durable({ segment: position.segment, offset: position.offset - 1 })
  }

  /** Lets go of log segments that nobody needs. */
  recycle(): void {
    // What has not been replayed is in no memtable yet.
    if (this.#replayedTo !== null) return
    const { log, tables } = this.#state
    log.recycle((segment) => {
      for (const table of tables.values()) if (table.needsSegment(segment)) return true
      return false
    })
  }

  #wake(): void {
    if (this.#space.isOverfull && !this.#isClosed) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const { resolve } of waiting) resolve()
  }
}

/** The job's result; null when it failed because the table was truncated or dropped under it, with its files. */
async function unlessCleared<T>(table: TableStore, generation: number, job: Promise<T>): Promise<T | null> {
  try {
    return await job
  } catch (error) {
    if (table.generation !== generation) return null
    throw error
  }
}

export function withoutTable(state: ManifestState, id: number): ManifestState {
  return { ...state, tables: state.tables.filter((table) => table.id !== id), dropped: [...state.dropped.filter((other) => other !== id), id].toSorted((a, b) => a - b) }
}
