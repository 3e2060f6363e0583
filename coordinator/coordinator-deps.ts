// What the coordinator is made from.
import type { VirtualTable } from "../cql/virtual-table.ts"
import type { Derive, LocalStore } from "../data/local-store.ts"
import type { Epoch, TableId } from "../data/schema.ts"
import type { Clock } from "../runtime/clock.ts"
import type { NodeId } from "../runtime/network.ts"
import type { Maybe } from "../runtime/pure.ts"
import type { Random } from "../runtime/random.ts"
import type { ClusterMetadata, Liveness } from "./cluster/cluster-metadata.ts"
import type { MessageRouter } from "./messages.ts"
import type { Trace } from "./trace.ts"

export interface CoordinatorTimeouts {
  readonly readMs: number
  readonly rangeMs: number
  readonly writeMs: number
}

export const DEFAULT_TIMEOUTS: CoordinatorTimeouts = { readMs: 5_000, rangeMs: 10_000, writeMs: 2_000 }

/** Keeps mutations for replicas that did not get them. */
export interface HintSink {
  /** Copies the mutation. False: not kept (over its bound, or the peer has been away for too long). */
  add(node: NodeId, mutation: Buffer, epoch: Epoch): boolean
  /**
   * Hands what was added to the operating system, and where acknowledgements wait for the disk to that, before it returns or resolves:
   * an acknowledgement at ANY rests on it. False: something could not be kept.
   */
  store(): Maybe<boolean>
}

export interface CoordinatorDeps {
  readonly self: NodeId
  readonly store: LocalStore
  readonly router: MessageRouter
  readonly metadata: ClusterMetadata
  readonly liveness: Liveness
  readonly clock: Clock
  readonly random: Random
  readonly hints: HintSink
  /** Derives view obligations; null: no views. */
  readonly derive: Derive | null
  readonly virtualTables: ReadonlyMap<TableId, VirtualTable>
  readonly timeouts: CoordinatorTimeouts
}

/** The request being started now is traced by this, or null. Set around the calls that start one. */
export interface TraceHolder {
  trace: Trace | null
}
