// Begins each build that this node has not done: of views, of indexes. Looks at every snapshot of the cluster for those that
// are new in it.
import type { TableId } from "../../data/schema.ts"
import type { NodeId } from "../../runtime/network.ts"
import type { ClusterMetadata, Snapshot, Unsubscribe } from "./cluster-metadata.ts"

export interface BuildWatchOptions {
  readonly self: NodeId
  readonly metadata: ClusterMetadata
  /** The tables that are built, done or not. */
  builds(snapshot: Snapshot): Iterable<TableId>
  /** Builds one; called once for each. */
  run(table: TableId): Promise<void>
}

export class BuildWatch {
  readonly #options: BuildWatchOptions
  readonly #begun = new Set<TableId>()
  #unsubscribe: Unsubscribe | null = null

  constructor(options: BuildWatchOptions) {
    this.#options = options
  }

  start(): void {
    const { metadata } = this.#options
    this.#unsubscribe = metadata.subscribe((snapshot) => this.#look(snapshot))
    this.#look(metadata.current())
  }

  stop(): void {
    this.#unsubscribe?.()
  }

  /** The table is gone: one that takes its place is built anew. */
  forget(table: TableId): void {
    this.#begun.delete(table)
  }

  #look(snapshot: Snapshot): void {
    for (const table of this.#options.builds(snapshot)) {
      if (this.#begun.has(table) || snapshot.viewBuilds.get(table)?.get(this.#options.self) === "SUCCESS") continue
      this.#begun.add(table)
      void this.#options.run(table)
    }
  }
}
