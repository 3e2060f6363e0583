// Runs compactions: asks a table's strategy what to merge, has a job do it, and puts the result in the place of its inputs.
//
// 1. A table is looked at when it has a new SSTable, when a compaction of it has ended, and once a minute, since time alone
//    makes things droppable. At most `concurrentCompactors` compactions run at once, of whatever tables.
// 2. What may be purged is settled at the start (purge-fence.ts) and looked at again before the result counts:
//    - A write older than what was purged has come meanwhile: it would come out of the purged tombstone's shadow.
//    - A view is owed something about a purged row (F2 of docs/views.md). That is waited for, for a while.
//    Then the result is thrown away, and the table is compacted without purging for a while.
// 3. The manifest names the outputs instead of the inputs in one atomic change; only then the inputs are removed. A crash
//    before it leaves the inputs live and the outputs orphans, which the next start removes; after it the other way round.
//
// INVARIANT: a table is an input of one compaction at most.
import type { Timer } from "../../runtime/clock.ts"
import type { CompactionRecord, RunningCompaction } from "../../data/local-store.ts"
import { toBigInt } from "../../data/timestamp.ts"
import { Buffer, assert, md5 } from "../../runtime/pure.ts"
import type { Background } from "../background.ts"
import { unlessCleared } from "../flushes.ts"
import type { Flushes } from "../flushes.ts"
import type { ManifestSSTable } from "../manifest.ts"
import type { SSTableFiles } from "../sstable/sstable-files.ts"
import type { SSTable } from "../sstable/sstable.ts"
import type { StoreState } from "../store-state.ts"
import type { TableStore } from "../table-store.ts"
import { type Choice, type CompactionTable } from "./choice.ts"
import { type CompactionOptions, parseCompactionOptions } from "./compaction-options.ts"
import { CompactionControl } from "./pace.ts"
import { Latecomers, isOwed, purgeTimes, takeFence } from "./purge-fence.ts"
import type { PurgeResult } from "./purger.ts"
import { chooseCompaction, chooseMajor } from "./strategy.ts"
import { TokenSet } from "./token-set.ts"

import type { CompactResult } from "../jobs/compact.ts"

const LOOK_EVERY_MS = 60_000
/** How often, and how many times, obligations that stand in the way are waited for. */
const OWED_WAIT_MS = 100
const OWED_WAITS = 50
/** After a result was thrown away the table is compacted without purging for so long. */
const NO_PURGE_MS = 60_000
/** Partitions looked at before requests get their turn. */
const CHECKED_PER_TURN = 5000

/** One compaction that runs. */
interface Task {
  readonly id: string
  readonly table: TableStore
  readonly choice: Choice
  /** As it was when it was chosen. */
  readonly strategy: string
  readonly inputs: readonly SSTable[]
  readonly bytes: number
  /** See ManifestSSTable: of the inputs together. */
  readonly arrivedBy: number
  readonly startedAtMicros: number
  readonly control: CompactionControl
  readonly ended: Promise<void>
}

export class Compactor {
  readonly #state: StoreState
  readonly #files: SSTableFiles
  readonly #flushes: Flushes
  readonly #background: Background
  readonly #running = new Set<Task>()
  /** Tables to look at, in order. */
  readonly #wanted = new Set<TableStore>()
  /** Tables that somebody compacts by hand: nothing else is begun in them. */
  readonly #reserved = new Set<TableStore>()
  /** Until when, on the monotonic clock, a table is compacted without purging; and when it was last looked through for expired SSTables. */
  readonly #noPurgeUntilMs = new WeakMap<TableStore, number>()
  readonly #checkedExpiredMs = new WeakMap<TableStore, number>()
  #lastId = 0
  #timer: Timer | null = null

  constructor(state: StoreState, files: SSTableFiles, flushes: Flushes, background: Background) {
    this.#state = state
    this.#files = files
    this.#flushes = flushes
    this.#background = background
  }

  /** Begins to look at all tables now and then. */
  start(): void {
    for (const table of this.#state.tables.values()) if (table.sstables.length > 0) this.#wanted.add(table)
    this.#pump()
    this.#timer = this.#state.clock.after(LOOK_EVERY_MS, () => {
      if (!this.#background.isClosed) this.start()
    })
  }

  /** Tells the jobs to stop; they end soon after. */
  stop(): void {
    if (this.#timer !== null) this.#state.clock.cancel(this.#timer)
    for (const { control } of this.#running) control.stop()
  }

  /** The table has changed. */
  look(table: TableStore): void {
    this.#wanted.add(table)
    this.#pump()
  }

  running(): RunningCompaction[] {
    return [...this.#running].map(({ id, table, choice, bytes, control, startedAtMicros }) => ({
      id, table: table.id, reason: choice.reason, totalBytes: bytes, doneBytes: Math.min(control.bytesRead, bytes), startedAtMicros, inputs: choice.inputs.length,
    }))
  }

  /** Merges all SSTables of the table, as far as its strategy allows. Resolves when that is done. */
  async major(table: TableStore): Promise<void> {
    this.#reserved.add(table)
    try {
      while (this.#runningIn(table).length > 0) await Promise.allSettled(this.#runningIn(table).map(({ ended }) => ended))
      const choices = this.#background.isClosed ? [] : chooseMajor(this.#tablesOf(table), optionsOf(table))
      await Promise.all(choices.map((choice) => this.#begin(table, choice).ended))
    } finally {
      this.#reserved.delete(table)
      this.look(table)
    }
  }

  #runningIn(table: TableStore): Task[] {
    return [...this.#running].filter((task) => task.table === table)
  }

  #pump(): void {
    for (const table of this.#wanted) {
      if (this.#background.isClosed || this.#running.size >= this.#state.options.concurrentCompactors) return
      const choice = this.#reserved.has(table) ? null : this.#choose(table)
      if (choice === null) this.#wanted.delete(table)
      else this.#inBackground(this.#begin(table, choice))
    }
  }

  #choose(table: TableStore): Choice | null {
    const options = optionsOf(table)
    if (!options.enabled || table.sstables.length === 0) return null
    const { clock } = this.#state
    const nowMs = clock.monotonicMs()
    const everyMs = 1000 * (options.strategy === "TimeWindowCompactionStrategy" ? options.windows.expiredCheckSeconds : options.strategy === "UnifiedCompactionStrategy" ? options.unified.expiredCheckSeconds : 600)
    const checkExpired = nowMs - (this.#checkedExpiredMs.get(table) ?? Number.NEGATIVE_INFINITY) >= everyMs
    if (checkExpired) this.#checkedExpiredMs.set(table, nowMs)
    return chooseCompaction(this.#tablesOf(table), options, {
      ...purgeTimes(table, Math.floor(clock.nowMicros() / 1e6)), memtableMinTimestamp: memtableMinTimestamp(table), flushBytes: this.#state.options.memtableSpaceBytes, checkExpired,
    })
  }

  #tablesOf(table: TableStore): CompactionTable[] {
    const busy = new Set(this.#runningIn(table).flatMap(({ inputs }) => inputs))
    return table.sstables.map((sstable) => compactionTable(sstable, table.places.get(sstable.number) as ManifestSSTable, busy.has(sstable)))
  }

  #inBackground({ ended }: Task): void {
    this.#background.run(() => ended)
  }

  /** Starts it at once; it counts among those that run. */
  #begin(table: TableStore, choice: Choice): Task {
    const inputs = table.sstables.filter(({ number }) => choice.inputs.includes(number))
    assert(inputs.length === choice.inputs.length, "a choice names live tables")
    const done = Promise.withResolvers<void>()
    const { clock } = this.#state
    const task: Task = {
      id: taskId(++this.#lastId, clock.nowMicros()), table, choice, strategy: optionsOf(table).strategy, inputs, bytes: inputs.reduce((sum, { bytes }) => sum + bytes, 0),
      arrivedBy: inputs.reduce((latest, { number }) => Math.max(latest, (table.places.get(number) as ManifestSSTable).arrivedBy), 0), startedAtMicros: clock.nowMicros(),
      control: new CompactionControl(), ended: done.promise,
    }
    this.#running.add(task)
    this.#shareThroughput()
    const end = (): void => {
      this.#running.delete(task)
      this.#shareThroughput()
      // What failed is not begun again at once: with the next flush, or the next look at everything.
      this.#pump()
    }
    this.#run(task).then(
      () => {
        this.#wanted.add(table)
        end()
        done.resolve()
      },
      (error: unknown) => {
        this.#wanted.delete(table)
        end()
        done.reject(error)
      },
    )
    return task
  }

  #shareThroughput(): void {
    const bytesPerSecond = this.#state.options.compactionThroughputBytes / this.#running.size
    for (const { control } of this.#running) control.bytesPerSecond = bytesPerSecond
  }

  #run(task: Task): Promise<void> {
    switch (task.choice.kind) {
      case "merge":
        return this.#merge(task)
      case "drop":
        return this.#drop(task)
      case "move":
        return this.#move(task)
    }
  }

  async #merge(task: Task): Promise<void> {
    const { table, choice, inputs, control } = task
    const { generation } = table
    const { jobs } = this.#state
    const known = new Set(table.sstables)
    const unpin = this.#files.pin(table.sstables)
    try {
      const count = 1 + choice.boundaries.length + Math.ceil((2 * task.bytes) / choice.maxOutputBytes)
      const firstNumber = this.#files.reserve(count)
      const directory = await this.#files.directory(table)
      const spec = {
        table: table.schema.descriptor, inputs: inputs.map(({ path }) => path), control: control.shared,
        output: { directory, firstNumber, count, maxOutputBytes: choice.maxOutputBytes, boundaries: choice.boundaries },
        purge: this.#mayPurge(table) ? this.#fence(table, inputs) : null,
      }
      const result = await unlessCleared(table, generation, jobs.run("compact", spec, this.#background.signal))
      if (result === null) return
      if (result.purged !== null && !(await this.#isStillRight(table, result.purged, known))) {
        // With a truncated table the files are gone, or unknown to the manifest.
        this.#noPurgeUntilMs.set(table, this.#state.clock.monotonicMs() + NO_PURGE_MS)
        for (const { number } of result.written) this.#files.removeUnused(table, number)
        return
      }
      await this.#install(task, generation, result)
    } finally {
      unpin()
    }
  }

  #mayPurge(table: TableStore): boolean {
    return !table.hasFilesAside && this.#state.clock.monotonicMs() >= (this.#noPurgeUntilMs.get(table) ?? Number.NEGATIVE_INFINITY)
  }

  #fence(table: TableStore, inputs: readonly SSTable[]): ReturnType<typeof takeFence> {
    const { clock, events } = this.#state
    return takeFence({ table, inputs, options: optionsOf(table), nowSeconds: Math.floor(clock.nowMicros() / 1e6), longestWaitMs: this.#flushes.longestWaitMs, events })
  }

  /** See 2. at the top. Nothing may happen between the last look and the manifest's change that is not harmless: see docs/decisions/0008. */
  async #isStillRight(table: TableStore, purged: PurgeResult, known: ReadonlySet<SSTable>): Promise<boolean> {
    const { clock, events } = this.#state
    // From here on writes that are too late are marked; those that came before are looked for.
    if (table.schema.views.length > 0) table.late.raise(toBigInt(purged.maxHigh, purged.maxLow))
    const latecomers = new Latecomers(table, purged, known)
    for (let index = 0; index < latecomers.size; index++) {
      if (latecomers.has(index)) return false
      if (index % CHECKED_PER_TURN === CHECKED_PER_TURN - 1) await clock.sleep(0)
    }
    for (let left = OWED_WAITS; isOwed(table, purged, events); left--) {
      if (left === 0 || this.#background.isClosed) return false
      await clock.sleep(OWED_WAIT_MS)
    }
    return true
  }

  async #install(task: Task, generation: number, { written, purged, merged }: CompactResult): Promise<void> {
    const { table, choice, inputs, arrivedBy } = task
    const nowSeconds = Math.floor(this.#state.clock.nowMicros() / 1e6)
    const added = written.map(({ number }): ManifestSSTable => ({ number, level: choice.level, arrivedBy, createdAt: nowSeconds }))
    const chosen = new Set(choice.inputs)
    const wasCommitted = await this.#files.commit(table, generation, {
      sstables: (old) => replace(old, ({ number }) => chosen.has(number), added), made: added.map(({ number }) => number), purgedUpTo: purged === null ? null : toBigInt(purged.maxHigh, purged.maxLow),
    })
    if (!wasCommitted) {
      for (const { number } of written) this.#files.removeUnused(table, number)
      return
    }
    table.sstables = replace(table.sstables, (other) => inputs.includes(other), added.map((place) => this.#files.open(table, place)))
    this.#files.remove(table, inputs)
    this.#report(task, written.reduce((sum, { summary }) => sum + summary.bytes, 0), merged)
  }

  /** Tables of which nothing is alive any more: fenced as if they had been purged. */
  async #drop(task: Task): Promise<void> {
    const { table, inputs, choice } = task
    const { generation } = table
    const fence = this.#mayPurge(table) ? this.#fence(table, inputs) : null
    if (fence === null || anyOwed(fence.fenced, inputs)) return
    const chosen = new Set(choice.inputs)
    const purgedUpTo = inputs.reduce((highest, { statistics }) => (BigInt(statistics.maxTimestamp) > highest ? BigInt(statistics.maxTimestamp) : highest), -(2n ** 63n))
    if (table.schema.views.length > 0) table.late.raise(purgedUpTo)
    const wasCommitted = await this.#files.commit(table, generation, { sstables: (old) => old.filter(({ number }) => !chosen.has(number)), purgedUpTo })
    if (!wasCommitted) return
    table.sstables = table.sstables.filter((other) => !inputs.includes(other))
    this.#files.remove(table, inputs)
    this.#report(task, 0, [])
  }

  /** To another level as it is. */
  async #move({ table, choice }: Task): Promise<void> {
    const { generation } = table
    const chosen = new Set(choice.inputs)
    const moved = (place: ManifestSSTable): ManifestSSTable => (chosen.has(place.number) ? { ...place, level: choice.level } : place)
    if (!(await this.#files.commit(table, generation, { sstables: (old) => old.map(moved) }))) return
    for (const [number, place] of table.places) table.places.set(number, moved(place))
  }

  #report(task: Task, bytesOut: number, merged: readonly number[]): void {
    const { id, table, bytes, choice, strategy, startedAtMicros } = task
    const { clock, events } = this.#state
    const record: CompactionRecord = {
      id, keyspace: table.schema.keyspace, table: table.schema.name, reason: choice.reason, bytesIn: bytes, bytesOut, merged,
      strategy, startedAtMicros, endedAtMicros: clock.nowMicros(),
    }
    events.compacted?.(record)
  }
}

function optionsOf(table: TableStore): CompactionOptions {
  return parseCompactionOptions(table.schema.descriptor.options.compaction)
}

function memtableMinTimestamp(table: TableStore): bigint | null {
  const memtables = [table.active, ...table.flushing].filter(({ isEmpty }) => !isEmpty)
  return memtables.reduce<bigint | null>((least, { lowest }) => {
    const one = toBigInt(lowest.high, lowest.low)
    return least === null || one < least ? one : least
  }, null)
}

function compactionTable({ number, bytes, statistics }: SSTable, { level, arrivedBy, createdAt }: ManifestSSTable, busy: boolean): CompactionTable {
  const { partitions, tombstones, expiringCells, lasting, minLocalDeletionTime, maxLocalDeletionTime } = statistics
  return {
    number, bytes, level, busy, partitions, tombstones, expiringCells, lasting, minLocalDeletionTime, maxLocalDeletionTime, arrivedBy, createdAt,
    minTimestamp: BigInt(statistics.minTimestamp), maxTimestamp: BigInt(statistics.maxTimestamp), firstToken: BigInt(statistics.firstToken), lastToken: BigInt(statistics.lastToken),
  }
}

/** The outputs in the place of the newest input. */
function replace<T>(all: readonly T[], isInput: (item: T) => boolean, outputs: readonly T[]): T[] {
  const first = all.findIndex(isInput)
  return [...all.slice(0, first), ...outputs, ...all.slice(first).filter((item) => !isInput(item))]
}

/** Whether one of the fenced partitions may be in one of the tables. */
function anyOwed(fenced: Int32Array, inputs: readonly SSTable[]): boolean {
  const tokens = new TokenSet(fenced)
  for (let index = 0; index < tokens.size; index++) if (inputs.some(({ filter }) => filter.mayContain(tokens.high(index), tokens.low(index)))) return true
  return false
}

/** 32 hexadecimal digits that no other task of this start of the store has. */
function taskId(number: number, nowMicros: number): string {
  return md5(Buffer.from(`${number} ${nowMicros}`)).toString("hex")
}
