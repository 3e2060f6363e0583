// Tables without storage: system.local, system_schema.*, system_views.*. The coordinator reads them on the node it runs
// on, whatever the consistency level; `node/` fills them in.
import type { Maybe } from "../runtime/pure.ts"
import type { RowSink } from "../data/local-store.ts"
import type { ReadCommand } from "../data/read-command.ts"
import type { TableSchema } from "../data/schema.ts"

export interface VirtualTable {
  readonly schema: TableSchema
  /** As LocalStore.read: partitions in token order, rows in clustering order, limits and slices respected. */
  read(command: ReadCommand, sink: RowSink): Maybe<void>
}
