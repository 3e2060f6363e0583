// Opens one node's storage: takes the data directory, loads what the manifest names, replays the commit log.
import type { Clock } from "../runtime/clock.ts"
import { type Disk, DiskError } from "../runtime/disk.ts"
import type { Jobs } from "../runtime/jobs.ts"
import { Buffer } from "../runtime/pure.ts"
import type { SegmentHold, StoreEvents } from "../data/local-store.ts"
import type { TableId } from "../data/schema.ts"
import { replayCommitLog } from "./log/commit-log-replay.ts"
import { scanCommitLog } from "./log/commit-log-scan.ts"
import { CommitLog } from "./log/commit-log.ts"
import { DataDirectory } from "./data-directory.ts"
import { CorruptFileError, UnknownTableError } from "./errors.ts"
import { BlockCache } from "./sstable/block-cache.ts"
import { Manifest } from "./manifest.ts"
import { MemorySpace } from "./memtable/memory-space.ts"
import { applyMutation, checkTablesKnown } from "./mutation-apply.ts"
import { ReadPace } from "./sstable/read-pace.ts"
import { DEFAULT_STORE_OPTIONS, type StoreOptions } from "./store-options.ts"
import { SSTable } from "./sstable/sstable.ts"
import { Store } from "./store.ts"
import { sstablePath } from "./sstable/sstable-files.ts"
import { TableFiles, withoutTable } from "./table-files.ts"
import { TableStore } from "./table-store.ts"

export interface StoreParts {
  readonly disk: Disk
  readonly clock: Clock
  readonly jobs: Jobs
  /** Of this node alone; made when it is missing. */
  readonly directory: string
  readonly hostId: string
  readonly clusterName: string
  readonly options: Partial<StoreOptions> & Pick<StoreOptions, "tables">
  readonly events: StoreEvents
}

/**
 * Resolves when everything that was acknowledged is readable again; obligations found in the log have been reported by then.
 * Rejects with DataDirectoryError, CorruptFileError, UnknownTableError or DiskError.
 */
export async function openStore(parts: StoreParts): Promise<Store> {
  const { disk, clock, jobs, events } = parts
  const options: StoreOptions = { ...DEFAULT_STORE_OPTIONS, ...parts.options }
  const directory = await DataDirectory.open(disk, parts.directory, parts.hostId, parts.clusterName)
  try {
    const manifest = Manifest.open(disk, directory.manifestPath)
    const space = new MemorySpace(options.memtableSpaceBytes)
    const cache = new BlockCache(options.blockCacheBytes, clock)
    const pace = new ReadPace(clock, options.alwaysWaitForDisk)
    const tables = new Map(options.tables.filter((table) => table.kind !== "virtual").map((table) => [table.id, new TableStore(table, space)]))
    const wasDropped = droppedTables(options, manifest)
    await forgetDropped(manifest, tables, wasDropped, directory.manifestPath)
    removeOrphans(directory, manifest)
    const goesOnWithout = options.diskFailurePolicy === "best_effort" || options.diskFailurePolicy === "ignore"
    openSSTables(directory, manifest, tables, cache, pace, goesOnWithout ? (error) => events.diskFailed?.(error) : null)
    const ignoreDamage = options.commitFailurePolicy === "ignore" ? (error: Error): void => events.logFailed?.(error) : null
    const scanned = await scanCommitLog(disk, directory.commitLogPath, manifest.state.durableSegment, ignoreDamage)
    // Segments that a power loss took must not come back as new ones: the manifest may speak of them.
    const nextSegment = manifest.state.tables.reduce((next, { replayFrom }) => Math.max(next, replayFrom.segment + 1), scanned.nextSegment)
    const log = new CommitLog(disk, clock, directory.commitLogPath, scanned.segments.map(({ id }) => id), nextSegment, {
      segmentBytes: options.commitlogSegmentBytes,
      totalBytes: options.commitlogTotalBytes,
      sync: options.commitlogSync,
      syncPeriodMs: options.commitlogSyncPeriodMs,
      groupWindowMs: options.commitlogSyncGroupWindowMs,
      ignoreFailures: options.commitFailurePolicy === "ignore",
      onSegment: () => clock.atTurnEnd(() => files.shortenLog()),
      onFailure: (error) => events.logFailed?.(error),
    })
    const state = { disk, clock, jobs, events, options, directory, manifest, log, tables, space, cache, pace }
    const files = new TableFiles(state)
    const owed = new Map<number, SegmentHold>()
    await replayCommitLog(disk, scanned, {
      mutation(bytes, at, position) {
        checkTablesKnown(bytes, at, (id) => tables.has(id) || wasDropped(id), directory.commitLogPath)
        applyMutation(bytes, at, tables, position, true)
      },
      obligation(bytes, position) {
        if (!owed.has(position.segment)) owed.set(position.segment, log.hold(position))
        events.obligation(Buffer.from(bytes), position, true)
      },
      chunkEnds: (end) => files.replayed(end),
    })
    const holds = [...owed.values()]
    files.replayEnded()
    return new Store(state, files, holds)
  } catch (error) {
    directory.close()
    throw error
  }
}

/** Takes tables that were dropped while this node was down out of the manifest. Throws UnknownTableError for those that never were. */
async function forgetDropped(manifest: Manifest, tables: ReadonlyMap<TableId, TableStore>, wasDropped: (id: TableId) => boolean, path: string): Promise<void> {
  const gone = manifest.state.tables.filter(({ id }) => !tables.has(id))
  for (const { id } of gone) if (!wasDropped(id)) throw new UnknownTableError(id, path)
  if (gone.length > 0) await manifest.commit((state) => gone.reduce((left, { id }) => withoutTable(left, id), state))
}

/** Files that a crash left and that no manifest names: of unfinished flushes and compactions, and of dropped tables. */
function removeOrphans({ disk, tablesPath }: DataDirectory, manifest: Manifest): void {
  const live = new Map(manifest.state.tables.map(({ id, sstables }) => [String(id), sstables]))
  for (const name of disk.list(tablesPath)) {
    const path = `${tablesPath}/${name}`
    const numbers = live.get(name)
    if (numbers === undefined) {
      disk.removeTree(path)
      continue
    }
    const wanted = new Set(numbers.map(({ number }) => sstablePath(path, number)))
    for (const file of disk.list(path)) if (!wanted.has(`${path}/${file}`)) disk.remove(`${path}/${file}`)
  }
}

/** `leftAside` is told of files that cannot be opened; null: they end the start. */
function openSSTables(
  directory: DataDirectory, manifest: Manifest, tables: ReadonlyMap<TableId, TableStore>, cache: BlockCache, pace: ReadPace, leftAside: ((error: Error) => void) | null,
): void {
  for (const { id, replayFrom, sstables, purgedUpTo, late } of manifest.state.tables) {
    const table = tables.get(id) as TableStore
    table.replayFrom = replayFrom
    table.late.restore(purgedUpTo, late)
    for (const place of sstables) table.places.set(place.number, place)
    for (const { number } of sstables) {
      try {
        table.sstables.push(SSTable.open(directory.disk, number, sstablePath(directory.tablePath(id), number), cache, pace))
      } catch (error) {
        if (leftAside === null || !(error instanceof CorruptFileError || error instanceof DiskError)) throw error
        table.hasFilesAside = true
        leftAside(error)
      }
    }
  }
}

function droppedTables(options: StoreOptions, manifest: Manifest): (id: TableId) => boolean {
  const nextTableId = options.nextTableId ?? options.tables.reduce((next, { id }) => Math.max(next, id + 1), 0)
  const dropped = new Set(manifest.state.dropped)
  return (id) => id < nextTableId || dropped.has(id)
}
