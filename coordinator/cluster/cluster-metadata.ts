// The one replicated log of schema and topology, as the coordinator sees it. `node/` implements it.
import type { Maybe } from "../../runtime/pure.ts"
import type { Epoch, Schema, SchemaDescriptor } from "../../data/schema.ts"
import type { NodeDescriptor, Placement } from "../../data/topology.ts"
import type { Replication } from "./replication.ts"

/** One entry of the metadata log. */
export type Change =
  /** Replaces the schema; refused with StaleSchemaError when the schema has changed since `expected` (Snapshot.schemaEpoch): derive it again. */
  | { readonly kind: "schema"; readonly expected: Epoch; readonly schema: SchemaDescriptor }
  /** Adds or replaces a node. */
  | { readonly kind: "node"; readonly node: NodeDescriptor }
  | { readonly kind: "remove"; readonly node: number }
  /** A table's data before this entry is void. */
  | { readonly kind: "truncate"; readonly table: number }
  /** A node has built a view. */
  | { readonly kind: "viewBuild"; readonly view: number; readonly node: number; readonly status: "STARTED" | "SUCCESS" }

export class StaleSchemaError extends Error {
  override readonly name = "StaleSchemaError"
}
/** The log could not be reached or did not answer in time; the change may or may not be made. */
export class MetadataUnavailableError extends Error {
  override readonly name = "MetadataUnavailableError"
}

/** The cluster as of one epoch. Immutable. */
export interface Snapshot {
  readonly epoch: Epoch
  readonly clusterName: string
  /** Epoch of the last schema change. */
  readonly schemaEpoch: Epoch
  readonly schema: Schema
  readonly schemaDescriptor: SchemaDescriptor
  readonly nodes: ReadonlyMap<number, NodeDescriptor>
  /** View table id to the status of each node. */
  readonly viewBuilds: ReadonlyMap<number, ReadonlyMap<number, "STARTED" | "SUCCESS">>
  /** Throws nothing; an unknown keyspace has no replicas. Cheap: a binary search, no allocation. */
  placement(keyspace: string, tokenHigh: number, tokenLow: number): Placement
  /** How many replicas the keyspace is to have; an unknown keyspace is local. */
  replication(keyspace: string): Replication
  /** Writes stamped with an earlier epoch are void. 0: never truncated. */
  truncationEpoch(table: number): Epoch
  /** Every range of the ring in token order with its placement. */
  ranges(keyspace: string): readonly { readonly startHigh: number; readonly startLow: number; readonly endHigh: number; readonly endLow: number; readonly placement: Placement }[]
}

export type Unsubscribe = () => void

export interface ClusterMetadata {
  /** Resolves with the entry's epoch once it is committed and applied here. Rejects with StaleSchemaError or MetadataUnavailableError. */
  propose(change: Change): Promise<Epoch>
  current(): Snapshot
  /** Returns at once when `current().epoch >= epoch`; rejects with MetadataUnavailableError at the deadline. */
  waitFor(epoch: Epoch, deadlineMs: number): Maybe<void>
  /** Resolves true once every node that is up has applied `epoch`, false at the deadline. */
  waitForAll(epoch: Epoch, deadlineMs: number): Promise<boolean>
  subscribe(fn: (snapshot: Snapshot, previous: Snapshot) => void): Unsubscribe
}

/** Who seems to be up. The coordinator itself always is. */
export interface Liveness {
  isAlive(node: number): boolean
}
