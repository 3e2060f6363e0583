// Builds the descriptor of a system table from a compact definition. Table ids are fixed for ever, since they stand in
// byte formats; uuids are those Cassandra gives its own tables: the md5 name UUID of keyspace and table name.
import type { CqlType } from "../../data/cql-type.ts"
import type { ColumnDescriptor, ColumnKind, TableDescriptor, TableId, TableOptions } from "../../data/schema.ts"
import { DEFAULT_TABLE_OPTIONS } from "../../data/table-options.ts"
import { formatUuid } from "../../data/types/uuids.ts"
import { assert, md5 } from "../../runtime/pure.ts"

type Columns = Readonly<Record<string, CqlType>>

export interface SystemTableDefinition {
  /** 1-999, never reused. */
  readonly id: TableId
  readonly name: string
  readonly partitionKey: Columns
  readonly clustering?: Columns
  readonly regular?: Columns
  readonly options?: Partial<TableOptions>
}

const SYSTEM_TABLE_IDS_END = 1000

/** The UUID (version 3) that Cassandra derives from a system table's names. */
export function systemTableUuid(keyspace: string, table: string): string {
  const bytes = md5(keyspace, table)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x30
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  return formatUuid(bytes)
}

export function systemTable(keyspace: string, definition: SystemTableDefinition, defaults: Partial<TableOptions> = {}): TableDescriptor {
  assert(definition.id > 0 && definition.id < SYSTEM_TABLE_IDS_END, `system table id ${definition.id}`)
  const columns: ColumnDescriptor[] = []
  addColumns(columns, definition.partitionKey, "partition_key")
  addColumns(columns, definition.clustering ?? {}, "clustering")
  addColumns(columns, sorted(definition.regular ?? {}), "regular")
  return {
    id: definition.id,
    uuid: systemTableUuid(keyspace, definition.name),
    keyspace,
    name: definition.name,
    columns,
    nextColumnId: columns.length,
    droppedColumns: [],
    options: { ...DEFAULT_TABLE_OPTIONS, ...defaults, ...definition.options },
    view: null,
    epoch: 0,
    truncationEpoch: 0,
  }
}

function addColumns(columns: ColumnDescriptor[], added: Columns, kind: ColumnKind): void {
  let position = 0
  for (const [name, type] of Object.entries(added)) {
    columns.push({ id: columns.length, name, type, kind, position: kind === "regular" ? -1 : position, reversed: false, hidden: null })
    position++
  }
}

function sorted(columns: Columns): Columns {
  return Object.fromEntries(Object.entries(columns).sort(([a], [b]) => (a < b ? -1 : 1)))
}
