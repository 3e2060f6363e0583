// What an operator asks of one node, through the admin port: POST /operations/<verb>?name=value, answered with JSON. The
// command line's nodetool is its client. Verbs carry nodetool's names.
import { tableElement } from "../cql/describe/describe-elements.ts"
import type { KeyspaceSchema, Schema, TableSchema } from "../data/schema.ts"
import type { Maybe } from "../runtime/pure.ts"
import type { SnapshotInfo } from "../storage/snapshots/snapshots.ts"
import type { SnapshotTable, StoreOperations } from "../storage/store-operations.ts"

/** A request that makes no sense here; its text is for the user. */
export class OperationError extends Error {
  override readonly name = "OperationError"
}

export interface OperationParts {
  schema(): Schema
  readonly storage: StoreOperations
  nowMicros(): number
  /** Applies a mutation to this node's store with all that belongs to a write. */
  apply(mutation: Uint8Array): Maybe<unknown>
}

export type Answer = Readonly<Record<string, unknown>>
type Operation = (parts: OperationParts, parameters: URLSearchParams) => Promise<Answer>

export const OPERATIONS: Readonly<Record<string, Operation>> = {
  flush: async (parts, parameters) => {
    const tables = chosenTables(parts, parameters)
    await parts.storage.flush(tables.map(({ id }) => id))
    return { tables: tables.map(nameOf) }
  },
  compact: async (parts, parameters) => {
    const tables = chosenTables(parts, parameters)
    await parts.storage.compact(tables.map(({ id }) => id))
    return { tables: tables.map(nameOf) }
  },
  compactionstats: (parts) => {
    const running = parts.storage.runningCompactions().map(({ table, ...rest }) => {
      const schema = parts.schema().tableById(table)
      return { keyspace: schema?.keyspace ?? null, table: schema?.name ?? null, ...rest }
    })
    return Promise.resolve({ compactions: running })
  },
  verify: async (parts, parameters) => ({ files: await parts.storage.verify(chosenTables(parts, parameters).map(({ id }) => id)) }),
  snapshot: async (parts, parameters) => {
    const name = parameters.get("tag") ?? String(Math.floor(parts.nowMicros() / 1000))
    const tables = chosenTables(parts, parameters)
    await parts.storage.snapshot(name, tables.map((table) => snapshotTable(parts.schema(), table)), { isFlushed: !parameters.has("skip-flush") })
    return { snapshot: name, tables: tables.map(nameOf) }
  },
  listsnapshots: (parts) => Promise.resolve({ snapshots: parts.storage.listSnapshots().map((info) => describe(parts, info)) }),
  clearsnapshot: async (parts, parameters) => {
    const tag = parameters.get("tag")
    if ((tag === null) !== parameters.has("all")) throw new OperationError(tag === null ? "Specify snapshot name or --all" : "Specify only one of snapshot name or --all")
    const keyspaces = parameters.getAll("keyspace")
    const cleared = await parts.storage.clearSnapshots(tag, ({ table }) => keyspaces.length === 0 || keyspaces.includes(table.keyspace))
    return { cleared }
  },
  import: async (parts, parameters) => {
    const name = parameters.get("snapshot")
    if (name === null) throw new OperationError("import needs the name of a snapshot")
    const table = onlyTable(parts, parameters)
    return { table: nameOf(table), ...(await parts.storage.importSnapshot(name, sourceTable(parts, name, table), table.id, parts.apply)) }
  },
}

/** A table as a snapshot is told of it. */
export function snapshotTable(schema: Schema, table: TableSchema): SnapshotTable {
  const keyspace = schema.keyspaces.get(table.keyspace)
  return { id: table.id, createStatement: keyspace === undefined ? null : tableElement(keyspace, table).text(true) }
}

/** The tables named, `keyspace` alone: all of it, neither: all of the user's. */
function chosenTables({ schema }: OperationParts, parameters: URLSearchParams): TableSchema[] {
  const keyspace = parameters.get("keyspace")
  if (keyspace === null) return [...schema().keyspaces.values()].filter(({ name }) => !isSystem(name)).flatMap(storedTablesOf)
  const found = schema().keyspaces.get(keyspace)
  if (found === undefined || found.virtual) throw new OperationError(`Keyspace [${keyspace}] does not exist.`)
  const names = parameters.getAll("table")
  if (names.length === 0) return storedTablesOf(found)
  return names.map((name) => {
    const table = found.tables.get(name)
    if (table === undefined || table.kind === "virtual") throw new OperationError(`Unknown keyspace/cf pair (${keyspace}.${name})`)
    return table
  })
}

function onlyTable(parts: OperationParts, parameters: URLSearchParams): TableSchema {
  const [table, other] = parameters.has("keyspace") && parameters.has("table") ? chosenTables(parts, parameters) : []
  if (table === undefined || other !== undefined) throw new OperationError("import needs one keyspace and one table")
  return table
}

/** The table as the snapshot knows it: the one with this table's id, or one that was dropped and had its name. */
function sourceTable({ storage }: OperationParts, name: string, table: TableSchema): number {
  const candidates = storage.listSnapshots().filter((info) => info.name === name && info.table.keyspace === table.keyspace && info.table.name === table.name)
  const found = candidates.find((info) => info.table.id === table.id) ?? candidates.at(-1)
  if (found === undefined) throw new OperationError(`Snapshot [${name}] of ${nameOf(table)} does not exist`)
  return found.table.id
}

function describe({ storage }: OperationParts, info: SnapshotInfo): Answer {
  const size = info.sstables.reduce((sum, { bytes }) => sum + bytes, 0)
  return {
    name: info.name, keyspace: info.table.keyspace, table: info.table.name, trueSize: storage.trueSize(info), sizeOnDisk: size,
    createdAt: new Date(info.createdAtMicros / 1000).toISOString(),
  }
}

function storedTablesOf(keyspace: KeyspaceSchema): TableSchema[] {
  return [...keyspace.tables.values()].filter(({ kind }) => kind !== "virtual")
}

function isSystem(keyspace: string): boolean {
  return keyspace === "system" || keyspace.startsWith("system_")
}

function nameOf(table: TableSchema): string {
  return `${table.keyspace}.${table.name}`
}
