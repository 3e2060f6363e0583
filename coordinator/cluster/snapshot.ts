// The cluster's state as plain data, how a change alters it, and the snapshot that code asks. Pure: the metadata leader,
// its followers and the simulator all apply the same entries in the same order and hold equal states.
import type { Epoch, KeyspaceDescriptor, KeyspaceSchema, Schema, SchemaDescriptor, TableDescriptor, TableId } from "../../data/schema.ts"
import { resolveSchema } from "../../data/resolve-schema.ts"
import type { NodeDescriptor, Placement } from "../../data/topology.ts"
import { type Change, type Snapshot, StaleSchemaError } from "./cluster-metadata.ts"
import { type PlacedRange, TokenRing } from "./placement.ts"
import { type Replication, parseReplication } from "./replication.ts"

/** JSON: what the metadata log's snapshot file and a follower's catch-up carry. */
export interface MetadataState {
  readonly clusterName: string
  readonly epoch: Epoch
  readonly schemaEpoch: Epoch
  /** Of the last change of any node's tokens, state or place: of ownership. */
  readonly ringEpoch: Epoch
  readonly schema: SchemaDescriptor
  /** Of each keyspace's replication options. */
  readonly replicationEpochs: Readonly<Record<string, Epoch>>
  /** Ascending by number. */
  readonly nodes: readonly NodeDescriptor[]
  readonly viewBuilds: readonly ViewBuild[]
  /** Of tables that are not in the schema descriptor (system_traces, ...): table id in decimal to epoch. */
  readonly systemTruncations: Readonly<Record<string, Epoch>>
}

export interface ViewBuild {
  readonly view: TableId
  readonly node: number
  readonly status: "STARTED" | "SUCCESS"
}

export function emptyState(clusterName: string): MetadataState {
  return {
    clusterName, epoch: 0, schemaEpoch: 0, ringEpoch: 0, schema: { keyspaces: [], nextTableId: 1000 },
    replicationEpochs: {}, nodes: [], viewBuilds: [], systemTruncations: {},
  }
}

/** The state after one more entry of the log. Throws StaleSchemaError, and then nothing has changed. */
export function applyChange(state: MetadataState, change: Change): MetadataState {
  const epoch = state.epoch + 1
  switch (change.kind) {
    case "schema":
      return applySchema(state, change.expected, change.schema, epoch)
    case "node":
      return applyNode(state, change.node, epoch)
    case "remove":
      return {
        ...state, epoch, ringEpoch: epoch,
        nodes: state.nodes.filter(({ node }) => node !== change.node),
        viewBuilds: state.viewBuilds.filter(({ node }) => node !== change.node),
      }
    case "truncate":
      return applyTruncate(state, change.table, epoch)
    case "viewBuild": {
      const others = state.viewBuilds.filter(({ view, node }) => view !== change.view || node !== change.node)
      return { ...state, epoch, viewBuilds: [...others, { view: change.view, node: change.node, status: change.status }] }
    }
  }
}

function applySchema(state: MetadataState, expected: Epoch, schema: SchemaDescriptor, epoch: Epoch): MetadataState {
  if (expected !== state.schemaEpoch) throw new StaleSchemaError(`the schema has changed at epoch ${state.schemaEpoch}, expected ${expected}`)
  const before = new Map<TableId, TableDescriptor>()
  for (const keyspace of state.schema.keyspaces) for (const table of keyspace.tables) before.set(table.id, table)
  const touched = touchedTables(before, schema)
  const stamp = (table: TableDescriptor): TableDescriptor => {
    const old = before.get(table.id)
    return { ...table, epoch: touched.has(table.id) ? epoch : (old as TableDescriptor).epoch, truncationEpoch: old?.truncationEpoch ?? epoch }
  }
  const keyspaces = schema.keyspaces.map((keyspace): KeyspaceDescriptor => ({ ...keyspace, tables: keyspace.tables.map(stamp) }))
  const ids = new Set(keyspaces.flatMap(({ tables }) => tables.flatMap(({ id, indexes = [] }) => [id, ...indexes.map((index) => index.id)])))
  return {
    ...state, epoch, schemaEpoch: epoch, schema: { ...schema, keyspaces },
    replicationEpochs: replicationEpochs(state, schema, epoch),
    viewBuilds: state.viewBuilds.filter(({ view }) => ids.has(view)),
  }
}

/** Tables that are new or different, and tables whose set of views is: a write to those must meet replicas that know it. */
function touchedTables(before: ReadonlyMap<TableId, TableDescriptor>, schema: SchemaDescriptor): Set<TableId> {
  const touched = new Set<TableId>()
  const left = new Map(before)
  for (const { tables } of schema.keyspaces) {
    for (const table of tables) {
      const old = left.get(table.id)
      left.delete(table.id)
      if (old !== undefined && content(old) === content(table)) continue
      touched.add(table.id)
      if (table.view !== null) touched.add(table.view.baseTable)
    }
  }
  for (const dropped of left.values()) if (dropped.view !== null) touched.add(dropped.view.baseTable)
  return touched
}

/** What makes two descriptors of a table equal: all but the epochs, which are stamped here. */
function content(table: TableDescriptor): string {
  return JSON.stringify({ ...table, epoch: 0, truncationEpoch: 0 })
}

function replicationEpochs(state: MetadataState, schema: SchemaDescriptor, epoch: Epoch): Record<string, Epoch> {
  const epochs: Record<string, Epoch> = {}
  for (const { name, replication } of schema.keyspaces) {
    const old = state.schema.keyspaces.find((keyspace) => keyspace.name === name)
    const same = old !== undefined && JSON.stringify(old.replication) === JSON.stringify(replication)
    epochs[name] = same ? (state.replicationEpochs[name] ?? epoch) : epoch
  }
  return epochs
}

function applyNode(state: MetadataState, given: NodeDescriptor, epoch: Epoch): MetadataState {
  const node = { ...given, epoch }
  const old = state.nodes.find((other) => other.node === node.node)
  const nodes = [...state.nodes.filter((other) => other !== old), node].sort((a, b) => a.node - b.node)
  return { ...state, epoch, ringEpoch: old !== undefined && owns(old) === owns(node) ? state.ringEpoch : epoch, nodes }
}

function owns({ state, dataCenter, rack, tokens }: NodeDescriptor): string {
  return JSON.stringify([state, dataCenter, rack, tokens])
}

function applyTruncate(state: MetadataState, id: TableId, epoch: Epoch): MetadataState {
  let found = false
  const stamp = (table: TableDescriptor): TableDescriptor => {
    if (table.id !== id && table.view?.baseTable !== id) return table
    found = true
    return { ...table, truncationEpoch: epoch }
  }
  const keyspaces = state.schema.keyspaces.map((keyspace) => ({ ...keyspace, tables: keyspace.tables.map(stamp) }))
  if (!found) return { ...state, epoch, systemTruncations: { ...state.systemTruncations, [id]: epoch } }
  return { ...state, epoch, schema: { ...state.schema, keyspaces } }
}

/** `system`: the keyspaces that every release brings along. What did not change is taken over from `previous`. */
export function buildSnapshot(state: MetadataState, system: readonly KeyspaceSchema[], previous: Snapshot | null): Snapshot {
  const schema = previous !== null && previous.schemaDescriptor === state.schema ? previous.schema : resolveSchema(state.schema, system)
  return new StateSnapshot(state, schema)
}

class StateSnapshot implements Snapshot {
  readonly state: MetadataState
  readonly schema: Schema
  readonly nodes: ReadonlyMap<number, NodeDescriptor>
  readonly viewBuilds: ReadonlyMap<TableId, ReadonlyMap<number, "STARTED" | "SUCCESS">>
  readonly #ring: TokenRing

  constructor(state: MetadataState, schema: Schema) {
    this.state = state
    this.schema = schema
    this.nodes = new Map(state.nodes.map((node) => [node.node, node]))
    const builds = new Map<TableId, Map<number, "STARTED" | "SUCCESS">>()
    for (const { view, node, status } of state.viewBuilds) {
      const nodes = builds.get(view) ?? new Map<number, "STARTED" | "SUCCESS">()
      builds.set(view, nodes.set(node, status))
    }
    this.viewBuilds = builds
    const replications = new Map<string, Replication>()
    for (const { name, replication } of schema.keyspaces.values()) {
      replications.set(name, parseReplication(replication, state.replicationEpochs[name] ?? 0))
    }
    this.#ring = new TokenRing(state.nodes, replications, state.ringEpoch)
  }

  get epoch(): Epoch {
    return this.state.epoch
  }
  get clusterName(): string {
    return this.state.clusterName
  }
  get schemaEpoch(): Epoch {
    return this.state.schemaEpoch
  }
  get schemaDescriptor(): SchemaDescriptor {
    return this.state.schema
  }
  placement(keyspace: string, tokenHigh: number, tokenLow: number): Placement {
    return this.#ring.placement(keyspace, tokenHigh, tokenLow)
  }
  ranges(keyspace: string): readonly PlacedRange[] {
    return this.#ring.ranges(keyspace)
  }
  replication(keyspace: string): Replication {
    return this.#ring.replication(keyspace)
  }
  truncationEpoch(table: TableId): Epoch {
    return this.schema.tableById(table)?.descriptor.truncationEpoch || (this.state.systemTruncations[table] ?? 0)
  }
}
