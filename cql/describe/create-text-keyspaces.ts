// CREATE statements of keyspaces and user types, formatted as DESCRIBE prints them.
import type { KeyspaceSchema, TypeDescriptor } from "../../data/schema.ts"
import { quoteIdentifier, typeName } from "../../data/types/type-name.ts"
import { quoteString } from "../statements/term-text.ts"

const LOCATOR_PACKAGE = "org.apache.cassandra.locator."

export function createKeyspaceText(keyspace: KeyspaceSchema): string {
  const name = quoteIdentifier(keyspace.name)
  if (keyspace.virtual) {
    return `/*\nWarning: Keyspace ${name} is a virtual keyspace and cannot be recreated with CQL.\nStructure, for reference:\nVIRTUAL KEYSPACE ${name};\n*/`
  }
  // The space before AND is doubled because Cassandra's is.
  return `CREATE KEYSPACE ${name} WITH replication = ${replicationText(keyspace.replication)}  AND durable_writes = ${String(keyspace.durableWrites)};`
}

function replicationText(replication: Readonly<Record<string, string>>): string {
  const { class: className = "", ...factors } = replication
  const short = className.startsWith(LOCATOR_PACKAGE) ? className.slice(LOCATOR_PACKAGE.length) : className
  const entries = [["class", short] as const, ...Object.entries(factors)]
  return `{${entries.map(([key, value]) => `${quoteString(key)}: ${quoteString(value)}`).join(", ")}}`
}

export function createTypeText(keyspace: string, type: TypeDescriptor): string {
  const fields = type.fields.map((field) => `    ${quoteIdentifier(field.name)} ${typeName(field.type)}`)
  return `CREATE TYPE ${quoteIdentifier(keyspace)}.${quoteIdentifier(type.name)} (\n${fields.join(",\n")}\n);`
}
