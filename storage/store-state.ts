// What the parts of a store share.
import type { Clock } from "../runtime/clock.ts"
import type { Disk } from "../runtime/disk.ts"
import type { Jobs } from "../runtime/jobs.ts"
import type { StoreEvents } from "../data/local-store.ts"
import type { TableId } from "../data/schema.ts"
import type { BlockCache } from "./sstable/block-cache.ts"
import type { CommitLog } from "./log/commit-log.ts"
import type { DataDirectory } from "./data-directory.ts"
import type { Manifest } from "./manifest.ts"
import type { MemorySpace } from "./memtable/memory-space.ts"
import type { ReadPace } from "./sstable/read-pace.ts"
import type { StoreOptions } from "./store-options.ts"
import type { TableStore } from "./table-store.ts"

export interface StoreState {
  readonly disk: Disk
  readonly clock: Clock
  readonly jobs: Jobs
  readonly events: StoreEvents
  readonly options: StoreOptions
  readonly directory: DataDirectory
  readonly manifest: Manifest
  readonly log: CommitLog
  readonly tables: Map<TableId, TableStore>
  readonly space: MemorySpace
  readonly cache: BlockCache
  readonly pace: ReadPace
}
