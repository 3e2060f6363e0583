// What changed between two snapshots, as the events that clients register for.
import type { Snapshot } from "../coordinator/cluster/cluster-metadata.ts"
import type { SchemaEvent, TopologyEvent } from "../cql/request.ts"
import type { AggregateDescriptor, FunctionDescriptor, KeyspaceSchema } from "../data/schema.ts"
import { typeName } from "../data/types/type-name.ts"

export function schemaEvents(before: Snapshot, after: Snapshot): SchemaEvent[] {
  if (before.schema === after.schema) return []
  const events: SchemaEvent[] = []
  for (const [name, keyspace] of after.schema.keyspaces) {
    const old = before.schema.keyspaces.get(name)
    if (old === undefined) events.push({ change: "CREATED", target: "KEYSPACE", keyspace: name, name: "" })
    else if (JSON.stringify([old.replication, old.durableWrites]) !== JSON.stringify([keyspace.replication, keyspace.durableWrites])) {
      events.push({ change: "UPDATED", target: "KEYSPACE", keyspace: name, name: "" })
    }
    events.push(...differences(old, keyspace))
  }
  for (const name of before.schema.keyspaces.keys()) {
    if (!after.schema.keyspaces.has(name)) events.push({ change: "DROPPED", target: "KEYSPACE", keyspace: name, name: "" })
  }
  return events
}

function differences(old: KeyspaceSchema | undefined, keyspace: KeyspaceSchema): SchemaEvent[] {
  const events: SchemaEvent[] = []
  const compare = (target: "TABLE" | "TYPE", before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): void => {
    for (const [name, value] of after) {
      const known = before.get(name)
      if (known === undefined) events.push({ change: "CREATED", target, keyspace: keyspace.name, name })
      else if (JSON.stringify(known) !== JSON.stringify(value)) events.push({ change: "UPDATED", target, keyspace: keyspace.name, name })
    }
    for (const name of before.keys()) {
      if (!after.has(name)) events.push({ change: "DROPPED", target, keyspace: keyspace.name, name })
    }
  }
  compare("TYPE", old?.types ?? new Map(), keyspace.types)
  compare("TABLE", definitions(old), definitions(keyspace))
  events.push(...functionDifferences("FUNCTION", keyspace.name, old?.functions ?? [], keyspace.functions))
  events.push(...functionDifferences("AGGREGATE", keyspace.name, old?.aggregates ?? [], keyspace.aggregates))
  return events
}

type UserFunction = FunctionDescriptor | AggregateDescriptor

/** A user type that changes is no change of the functions that take it. */
function functionDifferences(target: "FUNCTION" | "AGGREGATE", keyspace: string, before: readonly UserFunction[], after: readonly UserFunction[]): SchemaEvent[] {
  const bySignature = (all: readonly UserFunction[]): Map<string, UserFunction> => new Map(all.map((each) => [JSON.stringify([each.name, each.argumentTypes.map(typeName)]), each]))
  const text = (each: UserFunction): string => JSON.stringify({ ...each, argumentTypes: null, returnType: typeName(each.returnType), stateType: null })
  const event = (change: SchemaEvent["change"], { name, argumentTypes }: UserFunction): SchemaEvent => ({ change, target, keyspace, name, argumentTypes: argumentTypes.map(typeName) })
  const events: SchemaEvent[] = []
  const [old, now] = [bySignature(before), bySignature(after)]
  for (const [signature, each] of now) {
    const known = old.get(signature)
    if (known === undefined) events.push(event("CREATED", each))
    else if (text(known) !== text(each)) events.push(event("UPDATED", each))
  }
  for (const [signature, each] of old) if (!now.has(signature)) events.push(event("DROPPED", each))
  return events
}

/** A table's definition without what changes by itself: epochs. */
function definitions(keyspace: KeyspaceSchema | undefined): Map<string, unknown> {
  const tables = keyspace?.tables ?? new Map<string, never>()
  return new Map([...tables].map(([name, table]) => [name, { ...table.descriptor, epoch: 0, truncationEpoch: 0 }]))
}

export function topologyEvents(before: Snapshot, after: Snapshot): TopologyEvent[] {
  const events: TopologyEvent[] = []
  for (const [number, node] of after.nodes) {
    if (!before.nodes.has(number)) events.push({ kind: "topology", change: "NEW_NODE", address: node.nativeAddress, port: node.nativePort })
  }
  for (const [number, node] of before.nodes) {
    if (!after.nodes.has(number)) events.push({ kind: "topology", change: "REMOVED_NODE", address: node.nativeAddress, port: node.nativePort })
  }
  return events
}
