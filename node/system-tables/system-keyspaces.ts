// The keyspaces that every release brings along. They are the same on all nodes and not part of the metadata log.
import { resolveTable } from "../../data/resolve-schema.ts"
import type { KeyspaceSchema, TableDescriptor } from "../../data/schema.ts"
import { AUTH_TABLES, DISTRIBUTED_TABLES, TRACES_TABLES } from "./distributed-keyspaces.ts"
import { SCHEMA_TABLES } from "./schema-keyspace.ts"
import { SYSTEM_TABLES } from "./system-keyspace.ts"
import { VIEWS_TABLES, VIRTUAL_SCHEMA_TABLES } from "./virtual-keyspaces.ts"

const LOCAL: Readonly<Record<string, string>> = { class: "org.apache.cassandra.locator.LocalStrategy" }

function simple(factor: number): Readonly<Record<string, string>> {
  return { class: "org.apache.cassandra.locator.SimpleStrategy", replication_factor: String(factor) }
}

interface Definition {
  readonly name: string
  readonly replication: Readonly<Record<string, string>>
  readonly tables: readonly TableDescriptor[]
  /** Has no place in system_schema, only in system_virtual_schema. */
  readonly virtual?: boolean
  /** Its tables (true), or those named, are kept by the storage engine like a user's. */
  readonly stored?: boolean | readonly string[]
}

const DEFINITIONS: readonly Definition[] = [
  { name: "system", replication: LOCAL, tables: SYSTEM_TABLES, stored: ["batches", "compaction_history", "paxos"] },
  { name: "system_schema", replication: LOCAL, tables: SCHEMA_TABLES },
  { name: "system_auth", replication: simple(1), tables: AUTH_TABLES },
  { name: "system_distributed", replication: simple(3), tables: DISTRIBUTED_TABLES },
  { name: "system_traces", replication: simple(2), tables: TRACES_TABLES, stored: true },
  { name: "system_virtual_schema", replication: LOCAL, tables: VIRTUAL_SCHEMA_TABLES, virtual: true },
  { name: "system_views", replication: LOCAL, tables: VIEWS_TABLES, virtual: true },
]

let resolved: readonly KeyspaceSchema[] | null = null

/** Always the same objects. */
export function systemKeyspaces(): readonly KeyspaceSchema[] {
  resolved ??= DEFINITIONS.map(resolveDefinition)
  return resolved
}

function resolveDefinition(definition: Definition): KeyspaceSchema {
  const { stored = false } = definition
  const isStored = (name: string): boolean => (typeof stored === "boolean" ? stored : stored.includes(name))
  return {
    name: definition.name,
    durableWrites: true,
    replication: definition.replication,
    tables: new Map(definition.tables.map((table) => [table.name, resolveTable(table, [], !isStored(table.name))])),
    types: new Map(),
    functions: [],
    aggregates: [],
    virtual: definition.virtual === true,
  }
}
