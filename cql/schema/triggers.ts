// CREATE and DROP TRIGGER. Triggers are Java classes, and there is no Java here: a class is never found.
import { InvalidRequestError } from "../errors.ts"
import type { CreateTriggerStatement, DropTriggerStatement } from "../language/ast-schema.ts"
import type { SchemaPlan } from "../plan.ts"
import { checkModifiable, findKeyspace, findTable, keyspaceOf, unchanged } from "./edit.ts"

export function createTrigger(statement: CreateTriggerStatement, session: string | null): SchemaPlan["transform"] {
  const keyspaceName = keyspaceOf(statement.table, session)
  return (schema, descriptor) => {
    checkModifiable(schema, descriptor, keyspaceName, `ALTER <table ${keyspaceName}.${statement.table.name}>`)
    const keyspace = findKeyspace(descriptor, keyspaceName)
    if (keyspace === null) throw new InvalidRequestError(`Keyspace '${keyspaceName}' doesn't exist`)
    const table = findTable(keyspace, statement.table.name)
    if (table === null) throw new InvalidRequestError(`Table '${statement.table.name}' doesn't exist`)
    if (table.view !== null) throw new InvalidRequestError("Cannot CREATE TRIGGER for a materialized view")
    throw new InvalidRequestError(`Trigger class '${statement.className}' couldn't be loaded`)
  }
}

export function dropTrigger(statement: DropTriggerStatement, session: string | null): SchemaPlan["transform"] {
  const keyspaceName = keyspaceOf(statement.table, session)
  return (schema, descriptor) => {
    checkModifiable(schema, descriptor, keyspaceName, `ALTER <table ${keyspaceName}.${statement.table.name}>`)
    if (statement.ifExists) return unchanged(descriptor)
    throw new InvalidRequestError(`Trigger '${statement.trigger}' on '${keyspaceName}.${statement.table.name}' doesn't exist`)
  }
}
