// ALTER and DROP MATERIALIZED VIEW.
import type { KeyspaceDescriptor, SchemaDescriptor, TableDescriptor } from "../../data/schema.ts"
import { InvalidRequestError } from "../errors.ts"
import type { AlterViewStatement, DropViewStatement } from "../language/ast-schema.ts"
import type { SchemaPlan } from "../plan.ts"
import { changed, checkModifiable, findKeyspace, findTable, keyspaceOf, unchanged, withKeyspace, withTables, withoutTable } from "./edit.ts"
import { alteredOptions } from "./options.ts"
import { LOW_GC_GRACE } from "./view.ts"

export function alterView(statement: AlterViewStatement, session: string | null): SchemaPlan["transform"] {
  const keyspaceName = keyspaceOf(statement.view, session)
  return (schema, descriptor) => {
    checkModifiable(schema, descriptor, keyspaceName, `ALTER <table ${keyspaceName}.${statement.view.name}>`)
    const found = existingView(descriptor, keyspaceName, statement.view.name, statement.ifExists)
    if (found === null) return unchanged(descriptor)
    const options = alteredOptions(found.view.options, statement.properties)
    if (options.gcGraceSeconds === 0) {
      throw new InvalidRequestError(`Cannot alter gc_grace_seconds of a materialized view to 0, ${LOW_GC_GRACE}`)
    }
    if (options.defaultTimeToLive > 0) {
      throw new InvalidRequestError(
        "Forbidden default_time_to_live detected for a materialized view. Data in a materialized view always expire at the same time than the corresponding data in the parent table. default_time_to_live must be set to zero, see CASSANDRA-12868 for more information",
      )
    }
    const next = withKeyspace(descriptor, withTables(found.keyspace, { ...found.view, options }))
    return changed(next, "UPDATED", "TABLE", keyspaceName, found.view.name)
  }
}

export function dropView(statement: DropViewStatement, session: string | null): SchemaPlan["transform"] {
  const keyspaceName = keyspaceOf(statement.view, session)
  return (schema, descriptor) => {
    checkModifiable(schema, descriptor, keyspaceName, `DROP <table ${keyspaceName}.${statement.view.name}>`)
    const found = existingView(descriptor, keyspaceName, statement.view.name, statement.ifExists)
    if (found === null) return unchanged(descriptor)
    return changed(withKeyspace(descriptor, withoutTable(found.keyspace, found.view.name)), "DROPPED", "TABLE", keyspaceName, found.view.name)
  }
}

function existingView(
  descriptor: SchemaDescriptor, keyspaceName: string, name: string, ifExists: boolean,
): { readonly keyspace: KeyspaceDescriptor; readonly view: TableDescriptor } | null {
  const keyspace = findKeyspace(descriptor, keyspaceName)
  const view = findTable(keyspace, name)
  if (keyspace === null || view === null || view.view === null) {
    if (ifExists) return null
    throw new InvalidRequestError(`Materialized view '${keyspaceName}.${name}' doesn't exist`)
  }
  return { keyspace, view }
}
