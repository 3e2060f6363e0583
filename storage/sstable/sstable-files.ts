// The SSTables of a store as files: numbers for new ones, and every change of which are live, first in the manifest and
// then in memory. Flushes and compactions both end here.
//
// A file that a running compaction still looks at is removed when the compaction ends (`pin`).
import type { LogPosition } from "../../data/local-store.ts"
import { isDiskFull } from "../log/commit-log-segments.ts"
import { syncDirectory } from "../log/sync-files.ts"
import { type ManifestSSTable, type ManifestTable, withTable } from "../manifest.ts"
import { SSTable } from "./sstable.ts"
import type { StoreState } from "../store-state.ts"
import type { TableStore } from "../table-store.ts"

export function sstablePath(directory: string, number: number): string {
  return `${directory}/${String(number).padStart(8, "0")}.sst`
}

/** What a flush or a compaction changes of a table. */
export interface TableChange {
  readonly sstables: (old: readonly ManifestSSTable[]) => readonly ManifestSSTable[]
  readonly replayFrom?: LogPosition
  /** Numbers of the files that were written for it. */
  readonly made?: readonly number[]
  /** The highest timestamp that was purged, if anything was. */
  readonly purgedUpTo?: bigint | null
}

export class SSTableFiles {
  readonly #state: StoreState
  #nextNumber: number
  readonly #pins = new Map<SSTable, number>()
  /** Not live any more, but pinned. */
  readonly #removed = new Set<SSTable>()

  constructor(state: StoreState) {
    this.#state = state
    this.#nextNumber = state.manifest.state.nextNumber
  }

  /** The first of `count` numbers that no file has had. */
  reserve(count: number): number {
    const first = this.#nextNumber
    this.#nextNumber += count
    return first
  }

  /** Where the table's files are; made when it is missing. */
  async directory(table: TableStore): Promise<string> {
    const { disk, directory } = this.#state
    const path = directory.tablePath(table.id)
    if (!disk.exists(path)) {
      disk.makeDirectory(path)
      await syncDirectory(disk, directory.tablesPath)
    }
    return path
  }

  /** Changes the table in the manifest; false when its data was thrown away in the meantime. */
  async commit(table: TableStore, generation: number, change: TableChange): Promise<boolean> {
    try {
      await this.#state.manifest.commit((state) => {
        if (table.generation !== generation) return null
        const changed = withTable(state, table.id, (old) => changeTable(old, table, change))
        return { ...changed, nextNumber: Math.max(state.nextNumber, this.#nextNumber) }
      })
    } catch (error) {
      // On a full disk the manifest is what it was: every try would leave files behind. After any other failure nobody knows what it is.
      if (isDiskFull(error)) for (const number of change.made ?? []) this.removeUnused(table, number)
      throw error
    }
    return table.generation === generation
  }

  open(table: TableStore, place: ManifestSSTable): SSTable {
    const { disk, directory, cache, pace } = this.#state
    table.places.set(place.number, place)
    return SSTable.open(disk, place.number, sstablePath(directory.tablePath(table.id), place.number), cache, pace)
  }

  /** A new file that came too late. A truncation that overtook its commit may have seen it in the manifest: then it is gone already. */
  removeUnused(table: TableStore, number: number): void {
    const { disk, directory } = this.#state
    const path = sstablePath(directory.tablePath(table.id), number)
    if (table.sstables.some((other) => other.number === number) || !disk.exists(path)) return
    disk.remove(path)
  }

  /** Closes and removes files that are live no more. */
  remove(table: TableStore, sstables: readonly SSTable[]): void {
    for (const sstable of sstables) {
      table.places.delete(sstable.number)
      if (this.#pins.has(sstable)) this.#removed.add(sstable)
      else this.#removeNow(sstable)
    }
  }

  /** Keeps the files on the disk until the function that it returns is called. */
  pin(sstables: readonly SSTable[]): () => void {
    for (const sstable of sstables) this.#pins.set(sstable, (this.#pins.get(sstable) ?? 0) + 1)
    return () => {
      for (const sstable of sstables) {
        const left = (this.#pins.get(sstable) as number) - 1
        if (left > 0) this.#pins.set(sstable, left)
        else this.#pins.delete(sstable)
        if (left === 0 && this.#removed.delete(sstable)) this.#removeNow(sstable)
      }
    }
  }

  #removeNow(sstable: SSTable): void {
    sstable.retire()
    // A table that was dropped took its directory along.
    if (this.#state.disk.exists(sstable.path)) this.#state.disk.remove(sstable.path)
  }
}

function changeTable(old: ManifestTable, table: TableStore, { sstables, replayFrom, purgedUpTo }: TableChange): ManifestTable {
  const before = old.purgedUpTo === null ? null : BigInt(old.purgedUpTo)
  const highest = purgedUpTo !== undefined && purgedUpTo !== null && (before === null || purgedUpTo > before) ? purgedUpTo : before
  return {
    id: old.id, replayFrom: replayFrom ?? old.replayFrom, sstables: sstables(old.sstables),
    purgedUpTo: highest === null ? null : highest.toString(), late: table.late.texts(),
  }
}
