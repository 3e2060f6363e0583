// Data files that cannot be read: the store's owner is told of each, and with disk_failure_policy best_effort the store goes on
// without the file. What was in it is missing from the answers then; it stays in the manifest, and the next start tries it again.
import { DiskError } from "../../runtime/disk.ts"
import { CorruptFileError } from "../errors.ts"
import type { StoreState } from "../store-state.ts"

export class ReadFailures {
  readonly #state: StoreState

  constructor(state: StoreState) {
    this.#state = state
  }

  /** Returns what was thrown, for whoever asked. */
  noted(error: unknown): unknown {
    if (!(error instanceof DiskError || error instanceof CorruptFileError)) return error
    const { options, events } = this.#state
    if (options.diskFailurePolicy === "best_effort") this.#setAside(error.path)
    events.diskFailed?.(error)
    return error
  }

  #setAside(path: string): void {
    for (const table of this.#state.tables.values()) {
      const failed = table.sstables.find((sstable) => sstable.path === path)
      if (failed === undefined) continue
      table.sstables = table.sstables.filter((sstable) => sstable !== failed)
      table.hasFilesAside = true
      failed.retire()
    }
  }
}
