// What an operator does with a store: flush, compact, verify, and snapshots taken, listed, cleared and brought back.
//
// A snapshot is brought back row by row through the same door as every write, with the timestamps it has: what is newer
// stays, and what follows from rows (views, indexes, the log) follows. Whoever wants exactly what the snapshot holds
// truncates first. What is bad about it: it costs as much as writing the data again.
import type { Maybe } from "../runtime/pure.ts"
import type { RunningCompaction } from "../data/local-store.ts"
import type { TableDescriptor, TableId } from "../data/schema.ts"
import type { CacheFigures } from "./sstable/block-cache.ts"
import { UnknownTableError } from "./errors.ts"
import type { VerifiedFile } from "./jobs/verify.ts"
import { mutationsOf } from "./snapshots/snapshot-rows.ts"
import { type SnapshotInfo, SnapshotError, type SnapshotSource, Snapshots } from "./snapshots/snapshots.ts"
import type { StoreState } from "./store-state.ts"
import type { TableFiles } from "./table-files.ts"
import type { TableStore } from "./table-store.ts"

import type {} from "./jobs/verify.ts"

/** Rows that are applied before others get their turn. */
const ROWS_PER_TURN = 200

export interface SnapshotTable {
  readonly id: TableId
  /** For people who look into the snapshot; null: not known. */
  readonly createStatement: string | null
}

export interface ImportResult {
  readonly rows: number
}

export interface SSTableFigures {
  readonly bytes: number
  /** Microseconds between the oldest and the newest timestamp in it. */
  readonly spanMicros: number
}

export class StoreOperations {
  readonly #state: StoreState
  readonly #files: TableFiles
  readonly #snapshots: Snapshots

  constructor(state: StoreState, files: TableFiles) {
    this.#state = state
    this.#files = files
    this.#snapshots = new Snapshots(state.disk, `${state.directory.path}/snapshots`)
  }

  async flush(tables: readonly TableId[]): Promise<void> {
    await Promise.all(tables.map((id) => this.#files.flush(this.#table(id))))
  }

  /** Merges each table's SSTables, what is in memory with them, as far as its strategy allows. */
  async compact(tables: readonly TableId[]): Promise<void> {
    await this.flush(tables)
    for (const id of tables) await this.#files.compact(this.#table(id))
  }

  cacheFigures(): { readonly blocks: CacheFigures; readonly indexBlocks: CacheFigures } {
    const { cache } = this.#state
    return { blocks: cache.figures, indexBlocks: cache.index.figures }
  }

  /** Of the table's live SSTables. */
  sstableFigures(table: TableId): SSTableFigures[] {
    return this.#table(table).sstables.map(({ bytes, statistics }) => ({ bytes, spanMicros: Number(BigInt(statistics.maxTimestamp) - BigInt(statistics.minTimestamp)) }))
  }

  runningCompactions(): RunningCompaction[] {
    return this.#files.runningCompactions()
  }

  /** Reads every byte of the tables' SSTables, as they are now. */
  async verify(tables: readonly TableId[]): Promise<readonly VerifiedFile[]> {
    const signal = new AbortController().signal
    const files: VerifiedFile[] = []
    for (const id of tables) {
      const { schema, sstables } = this.#table(id)
      files.push(...(await this.#state.jobs.run("verify", { table: schema.descriptor, paths: sstables.map(({ path }) => path) }, signal)))
    }
    return files
  }

  /** Of one moment for all the tables. `isFlushed`: with what is in memory. Throws SnapshotError, DiskError. */
  async snapshot(name: string, tables: readonly SnapshotTable[], options: { readonly isFlushed: boolean }): Promise<void> {
    if (options.isFlushed) await this.flush(tables.map(({ id }) => id))
    const sources = tables.map(({ id, createStatement }): SnapshotSource => {
      const { schema, sstables } = this.#table(id)
      return { table: schema.descriptor, sstables, createStatement }
    })
    await this.#snapshots.take(name, sources, this.#state.clock.nowMicros())
  }

  listSnapshots(): SnapshotInfo[] {
    return this.#snapshots.list()
  }

  /** `name` null: of every name. Returns how many tables' snapshots there were. */
  clearSnapshots(name: string | null, isChosen: (info: SnapshotInfo) => boolean): Promise<number> {
    return this.#snapshots.clear(name, isChosen)
  }

  /** Bytes that would be free without the snapshot: of files that the table does not use any more. */
  trueSize({ table, sstables }: SnapshotInfo): number {
    const live = new Set(this.#state.tables.get(table.id)?.sstables.map(({ number }) => number))
    return sstables.filter(({ number }) => !live.has(number)).reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /**
   * Applies the rows of a snapshot of table `from` to `table`, through `apply`, which is this store's with whatever belongs
   * to a write. The two may be one table, or one that was dropped and its successor, whose columns must be the same.
   * Throws SnapshotError, CorruptFileError.
   */
  async importSnapshot(name: string, from: TableId, table: TableId, apply: (mutation: Uint8Array) => Maybe<unknown>): Promise<ImportResult> {
    const { schema } = this.#table(table)
    const info = this.#snapshots.find(name, from)
    if (info === null) throw new SnapshotError(`Snapshot [${name}] does not exist`)
    if (schema.kind === "view") throw new SnapshotError(`${schema.keyspace}.${schema.name} is a view: what its base table gets back comes to it by itself`)
    checkColumns(info.table, schema.descriptor)
    let rows = 0
    let sinceTurn = 0
    for (const { mutation, items } of mutationsOf(this.#state.disk, this.#snapshots.folder(name, from), info, schema)) {
      await apply(mutation)
      rows += items
      sinceTurn += items
      if (sinceTurn < ROWS_PER_TURN) continue
      sinceTurn = 0
      await this.#state.clock.sleep(0)
    }
    return { rows }
  }

  #table(id: TableId): TableStore {
    const table = this.#state.tables.get(id)
    if (table === undefined) throw new UnknownTableError(id, "an operation")
    return table
  }
}

/** Rows name their columns by id: those of the snapshot must mean the same now, or be of columns that are dropped. */
function checkColumns(then: TableDescriptor, now: TableDescriptor): void {
  const dropped = new Set(now.droppedColumns.map(({ id }) => id))
  for (const column of then.columns) {
    if (then.id === now.id && dropped.has(column.id)) continue
    const other = now.columns.find(({ id }) => id === column.id)
    const isSame = other !== undefined && other.name === column.name && other.kind === column.kind && JSON.stringify(other.type) === JSON.stringify(column.type)
    if (!isSame) throw new SnapshotError(`the snapshot's column ${column.name} is not that of ${now.keyspace}.${now.name}: create the table with the columns of the snapshot's schema.cql`)
  }
}
