// What becomes of memtables and SSTables in the background: flush (flushes.ts), compaction (compaction/compactor.ts),
// truncation, dropped tables.
import type { LogPosition, RunningCompaction } from "../data/local-store.ts"
import type { Maybe } from "../runtime/pure.ts"
import { Background } from "./background.ts"
import { Compactor } from "./compaction/compactor.ts"
import { Flushes, durableBefore } from "./flushes.ts"
import { type ManifestState, withTable } from "./manifest.ts"
import { SSTableFiles } from "./sstable/sstable-files.ts"
import type { StoreState } from "./store-state.ts"
import type { TableStore } from "./table-store.ts"

export class TableFiles {
  readonly #state: StoreState
  readonly #background: Background
  readonly #files: SSTableFiles
  readonly #flushes: Flushes
  readonly #compactor: Compactor

  constructor(state: StoreState) {
    this.#state = state
    this.#background = new Background(state.events)
    this.#files = new SSTableFiles(state)
    this.#flushes = new Flushes(state, this.#files, this.#background, (table) => this.#compactor.look(table))
    this.#compactor = new Compactor(state, this.#files, this.#flushes, this.#background)
  }

  /** Flushes what the table's memtable holds now, and what is on its way. */
  flush(table: TableStore): Promise<void> {
    return this.#flushes.flush(table)
  }
  makeRoom(): void {
    this.#flushes.makeRoom()
  }
  shortenLog(): void {
    this.#flushes.shortenLog()
  }
  room(): Promise<void> {
    return this.#flushes.room()
  }
  replayed(end: LogPosition): Maybe<void> {
    return this.#flushes.replayed(end)
  }
  replayEnded(): void {
    this.#flushes.replayEnded()
    this.#compactor.start()
  }
  recycle(): void {
    this.#flushes.recycle()
  }

  /** Merges all SSTables of the table, as far as its strategy allows. */
  async compact(table: TableStore): Promise<void> {
    await this.#compactor.major(table)
  }
  runningCompactions(): RunningCompaction[] {
    return this.#compactor.running()
  }
  /** The table's compaction options may have changed. */
  altered(table: TableStore): void {
    this.#compactor.look(table)
  }

  async truncate(table: TableStore): Promise<void> {
    const position = this.#state.log.end
    const sstables = table.clear()
    // What came before it in the log must not be lost when the truncation is not.
    await durableBefore(this.#state, position)
    await this.#state.manifest.commit((state) => withTable(state, table.id, ({ id }) => ({ id, replayFrom: position, sstables: [], purgedUpTo: null, late: [] })))
    table.replayFrom = position
    this.#files.remove(table, sstables)
    this.#flushes.recycle()
    this.#flushes.wake()
  }

  /** Removes everything of a table that is not among the tables any more. */
  drop(table: TableStore): void {
    const sstables = table.clear()
    this.#background.run(async () => {
      await this.#state.manifest.commit((state) => withoutTable(state, table.id))
      this.#files.remove(table, sstables)
      this.#state.disk.removeTree(this.#state.directory.tablePath(table.id))
      this.#flushes.recycle()
    })
    this.#flushes.wake()
  }

  /** Ends what runs. Data that was not flushed stays in the log. */
  async close(): Promise<void> {
    this.#background.close()
    this.#compactor.stop()
    this.#flushes.cancelRetry()
    await this.#background.settled()
    await this.#state.manifest.settled()
    this.#flushes.end()
  }
}

export function withoutTable(state: ManifestState, id: number): ManifestState {
  return { ...state, tables: state.tables.filter((table) => table.id !== id), dropped: [...state.dropped.filter((other) => other !== id), id].toSorted((a, b) => a - b) }
}
