// What the system tables show, and where it comes from. `node/` gives one of these at start.
import type { ClientState } from "../../cql/request.ts"
import type { Liveness, Snapshot } from "../../coordinator/cluster/cluster-metadata.ts"
import type { StatementExecutor, StatementFigures } from "../../coordinator/execute.ts"
import type { RequestLatencies } from "../../coordinator/request-latencies.ts"
import type { TimedStore } from "../../coordinator/timed-store.ts"
import type { Hints } from "../../coordinator/hints/hints.ts"
import type { ViewManager } from "../../coordinator/views/view-manager.ts"
import type { RunningCompaction, TableStats } from "../../data/local-store.ts"
import type { TableId } from "../../data/schema.ts"
import type { RealJobs } from "../../runtime/real/real-jobs.ts"
import type { WsNetwork } from "../../runtime/real/ws-network.ts"
import type { StoreOperations } from "../../storage/store-operations.ts"

/** The release of Cassandra whose behaviour drivers and tools may expect: they choose their queries by it.
 * cqlsh warns at every start unless it is exactly the release it was packed with, which is 5.0.0 in the Python registry. */
export const RELEASE_VERSION = "5.0.0"
export const CQL_VERSION = "3.4.7"
export const NATIVE_PROTOCOL_VERSION = "5"
export const PARTITIONER = "org.apache.cassandra.dht.Murmur3Partitioner"

export interface ClientConnection extends Omit<ClientState, "keyspace"> {
  readonly keyspace: string | null
  /** Requests so far; left out: not counted. */
  readonly requestCount?: number
}

/** Where figures about the node's work come from. All count from the start of the process. */
export interface NodeActivity {
  readonly storage: Pick<StoreOperations, "listSnapshots" | "trueSize" | "cacheFigures" | "sstableFigures">
  readonly jobs: Pick<RealJobs, "figures">
  readonly hints: Pick<Hints, "pendingFiles">
  readonly network: Pick<WsNetwork, "linkFigures">
  readonly views: Pick<ViewManager, "pendingByView">
  statements(): StatementFigures
  /** Clients' requests. */
  requests(): Pick<RequestLatencies, "of">
  batchSizes(): StatementExecutor["batchSizes"]
  /** What the node does with its own tables, for whomever. */
  readonly local: Pick<TimedStore, "of">
}

export interface SystemSource {
  /** The cluster as this node knows it now. */
  snapshot(): Snapshot
  /** This node's number. It may be missing from the snapshot until it has joined. */
  readonly self: number
  readonly liveness: Liveness
  /** When this node started, in seconds since 1970. */
  readonly generation: number
  /** Connections of the native protocol. */
  clients(): Iterable<ClientConnection>
  /** The configuration in force, by name. */
  settings(): Iterable<readonly [string, string]>
  stats(table: TableId): TableStats
  /** Compactions that run on this node. */
  compactions(): readonly RunningCompaction[]
  /** Null on nodes that have no sockets and threads: in simulations. Then the tables made of it are empty. */
  readonly activity: NodeActivity | null
}
