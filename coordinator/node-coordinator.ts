// One node's coordinator: the write path, the read path and the replica's side, wired together.
import { type Consistency, RequestError, type WriteType } from "../cql/errors.ts"
import type { CasRequest } from "../cql/plan.ts"
import type { RowSink } from "../data/local-store.ts"
import type { DirectRead, DirectSink } from "../data/direct-read.ts"
import type { ReadCommand } from "../data/read-command.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Completion, Coordinator } from "./coordinator.ts"
import type { CoordinatorDeps } from "./coordinator-deps.ts"
import { ClusterView } from "./cluster/cluster-view.ts"
import { isSerial } from "./consistency.ts"
import { BatchLog, type BatchPart } from "./batchlog/batch-log.ts"
import { CounterWrites } from "./counters/counter-writes.ts"
import { Exchanges } from "./exchanges.ts"
import { IndexReads } from "./indexes/index-reads.ts"
import { PaxosProposer } from "./paxos/paxos-proposer.ts"
import { PaxosReplica } from "./paxos/paxos-replica.ts"
import { ReadPath } from "./reads/read-path.ts"
import { ReadReconciler } from "./reads/read-reconciler.ts"
import { Replica } from "./replica.ts"
import { ReplicaLatency } from "./reads/replica-latency.ts"
import { RequestTable } from "./request-table.ts"
import type { Trace } from "./trace.ts"
import { WritePath } from "./writes/write-path.ts"

export class NodeCoordinator implements Coordinator {
  readonly #clock: Clock
  readonly #requests: RequestTable
  readonly #speculations: RequestTable
  readonly #writes: WritePath
  readonly #reads: ReadPath
  readonly #indexReads: IndexReads
  readonly #counters: CounterWrites
  readonly #batches: BatchLog
  /** Conditional updates and serial reads. */
  readonly #paxos: PaxosProposer

  /** Registers its handlers with the router: before the router starts. */
  constructor(deps: CoordinatorDeps) {
    this.#clock = deps.clock
    this.#requests = new RequestTable(deps.clock)
    this.#speculations = new RequestTable(deps.clock)
    const view = new ClusterView(deps.self, deps.metadata, deps.liveness)
    const latency = new ReplicaLatency(deps.random.child("replica latency"))
    const exchanges = new Exchanges(deps, view, this.#requests, this.#speculations, latency)
    this.#writes = new WritePath(deps, view, this.#requests)
    this.#reads = new ReadPath(deps, view, exchanges, new ReadReconciler(deps, view, exchanges, this.#writes), latency)
    this.#indexReads = new IndexReads({ deps, view, exchanges, latency }, (command, consistency, sink, completion) => this.read(command, consistency, sink, completion))
    new Replica(deps)
    this.#batches = new BatchLog(deps, view, this.#writes, this)
    this.#counters = new CounterWrites(deps, view, this.#requests, this.#writes)
    this.#paxos = new PaxosProposer(deps, view, this.#requests, this.#writes, this, new PaxosReplica(deps))
  }

  /** Requests in flight to other nodes. */
  get inFlight(): number {
    return this.#requests.size
  }

  write(keyspace: string, mutations: Buffer, count: number, consistency: Consistency, writeType: WriteType, completion: Completion): void {
    this.#writes.write(keyspace, mutations, count, consistency, writeType, completion)
  }

  read(command: ReadCommand, consistency: Consistency, sink: RowSink, completion: Completion): void {
    if (command.index !== undefined) this.#indexReads.read(command, consistency, sink, completion)
    else if (isSerial(consistency) && command.target.kind === "partition" && command.table.kind === "table") this.#readSerially(command, consistency, sink, completion)
    else this.#reads.read(command, consistency, sink, completion)
  }

  /** See ReadPath.isOneEnough, ReadPath.readDirect. */
  mayReadDirect(keyspace: string, consistency: Consistency): boolean {
    return !isSerial(consistency) && this.#reads.isOneEnough(keyspace, consistency)
  }
  readDirect(read: DirectRead, sink: DirectSink): boolean {
    return this.#reads.readDirect(read, sink)
  }

  #readSerially(command: ReadCommand, serial: Consistency, sink: RowSink, completion: Completion): void {
    this.#paxos.read(command, serial, sink).then(
      () => completion.done(null),
      (error: unknown) => {
        if (!(error instanceof RequestError)) throw error
        completion.done(error)
      },
    )
  }

  /** A batch over several partitions, of which all takes effect or nothing. */
  writeLogged(parts: readonly BatchPart[], consistency: Consistency, completion: Completion): void {
    this.#batches.write(parts, consistency, completion)
  }

  /** As `write`, of counter tables. */
  writeCounters(keyspace: string, mutations: Buffer, count: number, consistency: Consistency, completion: Completion): void {
    this.#counters.write(keyspace, mutations, count, consistency, completion)
  }

  /** A conditional update: resolves with whether it was applied. `commit`: the level at which its write must be kept. */
  conditionalUpdate(request: CasRequest, serial: Consistency, commit: Consistency, nowSeconds: number): Promise<boolean> {
    return this.#paxos.update(request, serial, commit, nowSeconds)
  }

  /** Delivers one hint; see WritePath.deliver. */
  deliver(verb: number, keyspace: string, mutation: Buffer, to: number, completion: Completion): void {
    this.#writes.deliver(verb, keyspace, mutation, to, completion)
  }

  /** The node's clock, for what runs statements. */
  monotonicMs(): number {
    return this.#clock.monotonicMs()
  }
  atTurnEnd(fn: () => void): void {
    this.#clock.atTurnEnd(fn)
  }

  /** What is started until the next call is traced by this. */
  traceWith(trace: Trace | null): void {
    this.#writes.trace = trace
    this.#reads.trace = trace
    this.#indexReads.trace = trace
  }

  /** Requests in flight are never answered any more. */
  stop(): void {
    this.#batches.stop()
    this.#requests.stop()
    this.#speculations.stop()
  }
}
