// Reads at a consistency level.
//
// 1. A virtual table is read here, whatever the level.
// 2. One replica is enough and this node is one: the store writes into the caller's sink, and when all is in memory the
//    read is done before `read` returns.
// 3. Otherwise one replica is asked for the data and the others for digests (exchanges.ts). Equal digests: the data goes to
//    the sink. Else all are asked for the data, which is merged, and who was behind is repaired first (read-reconciler.ts).
// 4. A range goes piece by piece round the ring, each piece to its own replicas, until the limit is reached
//    (ring-pieces.ts).
import { CONSISTENCY, type Consistency, ReadFailureError, RequestError, UnavailableError } from "../../cql/errors.ts"
import type { RowSink } from "../../data/local-store.ts"
import type { DirectRead, DirectSink } from "../../data/direct-read.ts"
import type { ReadCommand } from "../../data/read-command.ts"
import { FLAG, itemFlags } from "../../data/row-format.ts"
import { rangeContains } from "../../data/token.ts"
import type { Placement } from "../../data/topology.ts"
import { type Maybe, assert, isPromise } from "../../runtime/pure.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import { validateForRead } from "../consistency.ts"
import type { Completion } from "../coordinator.ts"
import type { CoordinatorDeps, TraceHolder } from "../coordinator-deps.ts"
import { CountingSink } from "./counting-sink.ts"
import type { Exchanges } from "../exchanges.ts"
import { FAILURE, requestErrorOf } from "../failure.ts"
import { LOCAL_PLACEMENT } from "../cluster/placement.ts"
import type { ReadExchange } from "./read-exchange.ts"
import type { ReadReconciler } from "./read-reconciler.ts"
import { type ReadReplicas, chooseReplicas } from "./read-replicas.ts"
import { digestResponse, replayResponse } from "./read-response.ts"
import type { ReplicaLatency } from "./replica-latency.ts"
import { type RingPiece, ringPieces } from "../cluster/ring-pieces.ts"

export class ReadPath implements TraceHolder {
  trace: TraceHolder["trace"] = null
  readonly #deps: CoordinatorDeps
  readonly #view: ClusterView
  readonly #exchanges: Exchanges
  readonly #reconciler: ReadReconciler
  readonly #latency: ReplicaLatency

  constructor(deps: CoordinatorDeps, view: ClusterView, exchanges: Exchanges, reconciler: ReadReconciler, latency: ReplicaLatency) {
    this.#deps = deps
    this.#view = view
    this.#exchanges = exchanges
    this.#reconciler = reconciler
    this.#latency = latency
  }

  /** As Coordinator.read. */
  read(command: ReadCommand, consistency: Consistency, sink: RowSink, completion: Completion): void {
    validateForRead(consistency)
    const { table, target } = command
    if (table.kind === "virtual") {
      this.#readVirtual(command, consistency, sink, completion)
      return
    }
    const snapshot = this.#view.snapshot()
    if (target.kind === "range") {
      this.#readRange(command, consistency, sink, completion)
      return
    }
    const placement = snapshot.placement(table.keyspace, target.token.high, target.token.low)
    if (placement === LOCAL_PLACEMENT || this.#isEnough(table.keyspace, placement, consistency)) this.#readHere(command, consistency, sink, completion)
    else this.#readReplicas(command, placement.read, consistency, sink, completion)
  }

  /** Reads here and at once, when this node is a replica and nothing needs merging. False: `read` has to do it, and what the sink got counts for nothing. REQUIRES: `isOneEnough`. */
  readDirect(read: DirectRead, sink: DirectSink): boolean {
    const { store } = this.#deps
    if (store.readDirect === undefined) return false
    const placement = this.#view.snapshot().placement(read.table.keyspace, read.tokenHigh, read.tokenLow)
    if (placement !== LOCAL_PLACEMENT && !placement.read.includes(this.#view.self)) return false
    try {
      return store.readDirect(read, sink)
    } catch (error) {
      requestErrorOf(error)
      // A damaged file: the long way meets it as well, and knows what to tell the client.
      return false
    }
  }

  /** One replica's answer satisfies the level. */
  isOneEnough(keyspace: string, consistency: Consistency): boolean {
    return consistency !== CONSISTENCY.eachQuorum && this.#view.requiredForRead(keyspace, consistency) === 1
  }

  /** This node's answer alone satisfies the level. */
  #isEnough(keyspace: string, placement: Placement, consistency: Consistency): boolean {
    return this.isOneEnough(keyspace, consistency) && placement.read.includes(this.#view.self)
  }

  #readVirtual(command: ReadCommand, consistency: Consistency, sink: RowSink, completion: Completion): void {
    const table = this.#deps.virtualTables.get(command.table.id)
    assert(table !== undefined, `virtual table ${command.table.keyspace}.${command.table.name} has a reader`)
    this.#run(() => table.read(command, sink), consistency, completion)
  }

  #readHere(command: ReadCommand, consistency: Consistency, sink: RowSink, completion: Completion): void {
    if (this.trace !== null) this.trace.event(`Executing ${command.target.kind === "range" ? "range" : "single-partition"} query on ${command.table.name}`)
    let reading: Maybe<void>
    try {
      reading = this.#deps.store.read(command, sink)
    } catch (error) {
      this.#failHere(error, consistency, completion)
      return
    }
    if (isPromise(reading)) {
      reading.then(() => completion.done(null), (error: unknown) => this.#failHere(error, consistency, completion))
    } else completion.done(null)
  }

  #run(read: () => Maybe<void>, consistency: Consistency, completion: Completion): void {
    let reading: Maybe<void>
    try {
      reading = read()
    } catch (error) {
      this.#failHere(error, consistency, completion)
      return
    }
    if (isPromise(reading)) reading.then(() => completion.done(null), (error: unknown) => this.#failHere(error, consistency, completion))
    else completion.done(null)
  }

  #failHere(error: unknown, consistency: Consistency, completion: Completion): void {
    const failure = { address: this.#view.addressOf(this.#view.self), code: FAILURE.unknown }
    completion.done(requestErrorOf(error) ?? new ReadFailureError(consistency, 0, 1, [failure], false))
  }

  #readReplicas(command: ReadCommand, nodes: readonly number[], consistency: Consistency, sink: RowSink, completion: Completion): void {
    const replicas = chooseReplicas(this.#view, this.#latency, command.table.keyspace, nodes, consistency)
    if (replicas instanceof UnavailableError) {
      completion.done(replicas)
      return
    }
    this.#exchanges.trace = this.trace
    new DigestRead(this, command, consistency, sink, completion, replicas, this.#view.snapshot().epoch).start(this.#exchanges)
    this.#exchanges.trace = null
  }

  /** The answers of an exchange: equal digests, or a merge. */
  finish(read: DigestRead, exchange: ReadExchange): void {
    const isView = read.command.table.kind === "view"
    const data = exchange.answers.find(({ isDigest }) => !isDigest)
    assert(data !== undefined, "a satisfied exchange has data")
    if (exchange.answers.length > 1) {
      const digest = digestResponse(data.bytes, isView)
      for (const answer of exchange.answers) {
        if (answer === data || digest.equals(answer.isDigest ? answer.bytes : digestResponse(answer.bytes, isView))) continue
        exchange.trace?.event("Digest mismatch: replicas differ, reading full data from all of them")
        const contacts = exchange.answers.map(({ node }) => node)
        this.#settle(this.#reconciler.read(read.command, { required: contacts.length, contacts, spares: [] }, read.consistency, read.sink), read.completion)
        return
      }
    }
    try {
      replayResponse(data.bytes, read.sink)
    } catch (error) {
      this.#failHere(error, read.consistency, read.completion)
      return
    }
    read.completion.done(null)
  }

  /** A replica was ahead of this node's metadata: catch up, choose again. */
  retry(read: DigestRead, epoch: number): void {
    const again = async (): Promise<void> => {
      const { metadata, clock, timeouts } = this.#deps
      await metadata.waitFor(epoch, clock.monotonicMs() + timeouts.readMs)
      const { table, target } = read.command
      const token = target.kind === "partition" ? target.token : target.range.end
      const placement = this.#view.snapshot().placement(table.keyspace, token.high, token.low)
      const replicas = chooseReplicas(this.#view, this.#latency, table.keyspace, placement.read, read.consistency)
      if (replicas instanceof UnavailableError) throw replicas
      new DigestRead(this, read.command, read.consistency, read.sink, read.completion, replicas, this.#view.snapshot().epoch).start(this.#exchanges)
    }
    again().catch((error: unknown) => this.#failHere(error, read.consistency, read.completion))
  }

  #settle(work: Promise<unknown>, completion: Completion): void {
    work.then(
      () => completion.done(null),
      (error: unknown) => {
        if (error instanceof RequestError) completion.done(error)
        else throw error
      },
    )
  }

  #readRange(command: ReadCommand, consistency: Consistency, sink: RowSink, completion: Completion): void {
    const { table } = command
    const snapshot = this.#view.snapshot()
    const end = command.target.kind === "range" ? command.target.range.end : command.target.token
    if (snapshot.placement(table.keyspace, end.high, end.low) === LOCAL_PLACEMENT) {
      this.#readHere(command, consistency, sink, completion)
      return
    }
    const pieces = ringPieces(command, snapshot.ranges(table.keyspace), (node) => this.#view.isAlive(node))
    if (pieces.every(({ placement }) => this.#isEnough(table.keyspace, placement, consistency))) {
      if (pieces.length === 0 && snapshot.ranges(table.keyspace).length === 0) {
        completion.done(new UnavailableError(consistency, this.#view.requiredForRead(table.keyspace, consistency), 0))
      } else this.#readHere(command, consistency, sink, completion)
      return
    }
    this.#settle(this.#readPieces(command, pieces, consistency, sink), completion)
  }

  async #readPieces(command: ReadCommand, pieces: readonly RingPiece[], consistency: Consistency, sink: RowSink): Promise<void> {
    const counting = new CountingSink(sink, (bytes, from) => (itemFlags(bytes as Buffer, from) & FLAG.static) !== 0)
    for (const { range, placement } of pieces) {
      const left = command.limit - counting.live
      if (left <= 0 || counting.isStopped) return
      const { after } = command
      const goesOn = after !== null && rangeContains(range, after.token.high, after.token.low)
      const part: ReadCommand = { ...command, target: { kind: "range", range }, limit: left, after: goesOn ? after : null }
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const completion: Completion = { done: (error) => (error === null ? resolve() : reject(error)) }
      if (this.#isEnough(command.table.keyspace, placement, consistency)) this.#readHere(part, consistency, counting, completion)
      else this.#readReplicas(part, placement.read, consistency, counting, completion)
      await promise
    }
  }
}

/** One read of data and digests. */
class DigestRead {
  readonly command: ReadCommand
  readonly consistency: Consistency
  readonly sink: RowSink
  readonly completion: Completion
  readonly #path: ReadPath
  readonly #replicas: ReadReplicas
  /** Of the metadata that the replicas were chosen by. */
  readonly #epoch: number

  constructor(
    path: ReadPath, command: ReadCommand, consistency: Consistency, sink: RowSink, completion: Completion, replicas: ReadReplicas, epoch: number,
  ) {
    this.#path = path
    this.command = command
    this.consistency = consistency
    this.sink = sink
    this.completion = completion
    this.#replicas = replicas
    this.#epoch = epoch
  }

  start(exchanges: Exchanges): void {
    exchanges.start(this.command, this.consistency, this.#replicas, true, this)
  }

  exchanged(exchange: ReadExchange, error: RequestError | null): void {
    if (error === null) this.#path.finish(this, exchange)
    else if (exchange.staleEpoch > this.#epoch) this.#path.retry(this, exchange.staleEpoch)
    else this.completion.done(error)
  }
}
