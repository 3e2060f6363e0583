// CREATE, ALTER and DROP KEYSPACE.
import type { KeyspaceDescriptor, SchemaDescriptor } from "../../data/schema.ts"
import { AlreadyExistsError, ConfigurationError, InvalidRequestError } from "../errors.ts"
import type { AlterKeyspaceStatement, CreateKeyspaceStatement, DropKeyspaceStatement } from "../language/ast-schema.ts"
import type { SchemaPlan } from "../plan.ts"
import { changed, checkCreatable, checkKeyspaceName, checkModifiable, findKeyspace, unchanged, withKeyspace, withoutKeyspace } from "./edit.ts"
import { Properties } from "./properties.ts"
import { replicationOption, replicationWarnings } from "./replication.ts"

const REPAIR = "When increasing replication factor you need to run a full (-full) repair to distribute the data."

type Transform = SchemaPlan["transform"]

const KNOWN: ReadonlySet<string> = new Set(["replication", "durable_writes"])

export function createKeyspace(statement: CreateKeyspaceStatement): Transform {
  const name = statement.keyspace
  return (schema, descriptor, _nowMicros, _newUuid, cluster) => {
    checkCreatable(schema, descriptor, name)
    const properties = new Properties(statement.properties, KNOWN)
    const given = replicationOf(properties)
    if (given === undefined) throw new InvalidRequestError("Missing mandatory option 'replication'")
    if (findKeyspace(descriptor, name) !== null) {
      if (statement.ifNotExists) return unchanged(descriptor)
      throw new AlreadyExistsError(name, "", `Cannot add existing keyspace "${name}"`)
    }
    checkKeyspaceName(name)
    const keyspace: KeyspaceDescriptor = {
      name,
      durableWrites: properties.boolean("durable_writes") ?? true,
      replication: replicationOption(name, given, null, cluster),
      tables: [],
      types: [],
    }
    const warnings = replicationWarnings(name, keyspace.replication, cluster)
    return changed(withKeyspace(descriptor, keyspace), "CREATED", "KEYSPACE", name, "", warnings)
  }
}

/** An empty map counts as not given when it comes to the class, as in Cassandra. */
function replicationOf(properties: Properties): ReadonlyMap<string, string> | undefined {
  const given = properties.map("replication")
  if (given !== undefined && given.size > 0 && !given.has("class")) throw new ConfigurationError("Missing replication strategy class")
  return given
}

export function alterKeyspace(statement: AlterKeyspaceStatement): Transform {
  const name = statement.keyspace
  return (schema, descriptor, _nowMicros, _newUuid, cluster) => {
    checkModifiable(schema, descriptor, name, `ALTER <keyspace ${name}>`)
    const properties = new Properties(statement.properties, KNOWN)
    const given = replicationOf(properties)
    const keyspace = existing(descriptor, name, statement.ifExists)
    if (keyspace === null) return unchanged(descriptor)
    const replication = given === undefined ? keyspace.replication : replicationOption(name, given, keyspace.replication, cluster)
    const next = { ...keyspace, replication, durableWrites: properties.boolean("durable_writes") ?? keyspace.durableWrites }
    const warnings = given === undefined ? [] : [...replicationWarnings(name, replication, cluster), ...(copies(keyspace.replication) < copies(replication) ? [REPAIR] : [])]
    return changed(withKeyspace(descriptor, next), "UPDATED", "KEYSPACE", name, "", warnings)
  }
}

/** In all data centres together. */
function copies({ class: _class, ...factors }: Readonly<Record<string, string>>): number {
  return Object.values(factors).reduce((sum, factor) => sum + Number.parseInt(factor, 10), 0)
}

export function dropKeyspace(statement: DropKeyspaceStatement): Transform {
  const name = statement.keyspace
  return (schema, descriptor) => {
    checkModifiable(schema, descriptor, name, `DROP <keyspace ${name}>`)
    if (existing(descriptor, name, statement.ifExists) === null) return unchanged(descriptor)
    return changed(withoutKeyspace(descriptor, name), "DROPPED", "KEYSPACE", name, "")
  }
}

function existing(descriptor: SchemaDescriptor, name: string, ifExists: boolean): KeyspaceDescriptor | null {
  const keyspace = findKeyspace(descriptor, name)
  if (keyspace === null && !ifExists) throw new InvalidRequestError(`Keyspace '${name}' doesn't exist`)
  return keyspace
}
