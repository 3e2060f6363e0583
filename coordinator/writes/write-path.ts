// Writes: a mutation goes to all its replicas, and the client has its answer when enough of them have it.
//
// 1. The token in the mutation gives the placement; with too few replicas up the client is told so and nothing is written.
// 2. When this node is the only replica, the mutation is applied and the answer given in one synchronous step.
// 3. Otherwise the mutation is kept in a pooled record, encoded once into a message, sent to each replica that is up, and
//    applied here if this node is one. Answers find the record by its number.
// 4. At the consistency level the client is answered; the record stays until all replicas have answered or the deadline.
// 5. Who was down, or has not answered by the deadline, gets a hint. Nobody does for a view's table: its rows come from
//    the base replicas only.
// 6. A replica that knows of a later change of the range or the table says so; this node catches up and sends again.
import {
  CONSISTENCY, type Consistency, type RequestError, UnavailableError, WriteFailureError, WriteTimeoutError, type WriteType,
} from "../../cql/errors.ts"
import { readUint32 } from "../../data/bytes.ts"
import type { ApplySource } from "../../data/local-store.ts"
import { mutationTokenHigh, mutationTokenLow } from "../../data/mutation.ts"
import type { Placement } from "../../data/topology.ts"
import type { NodeId } from "../../runtime/network.ts"
import { type Maybe, isPromise } from "../../runtime/pure.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import { isEachQuorum, quorum, validateForWrite } from "../consistency.ts"
import type { Completion } from "../coordinator.ts"
import type { CoordinatorDeps, TraceHolder } from "../coordinator-deps.ts"
import { FAILURE, clientFailureCode, requestErrorOf } from "../failure.ts"
import { GroupCompletion } from "../group-completion.ts"
import { type Message, VERB } from "../messages.ts"
import { mutationSizeAt, requiredEpoch, tablesOf } from "./mutation-tables.ts"
import { LOCAL_PLACEMENT } from "../cluster/placement.ts"
import type { Replication } from "../cluster/replication.ts"
import type { RequestTable } from "../request-table.ts"
import { REPLICA, WriteRecord } from "./write-record.ts"

const MAX_POOLED_RECORDS = 4096
/** A record that once held a huge mutation does not keep that memory. */
const MAX_POOLED_BYTES = 16 * 1024

export class WritePath implements TraceHolder {
  trace: TraceHolder["trace"] = null
  readonly #deps: CoordinatorDeps
  readonly #view: ClusterView
  readonly #requests: RequestTable
  readonly #pool: WriteRecord[] = []
  readonly #expired = (record: WriteRecord): void => this.#expire(record)

  constructor(deps: CoordinatorDeps, view: ClusterView, requests: RequestTable) {
    this.#deps = deps
    this.#view = view
    this.#requests = requests
    deps.router.handle(VERB.writeAck, (message) => this.#acknowledged(message))
    deps.router.handle(VERB.writeFailed, (message) => this.#refused(message, message.bytes.readUInt16BE(message.at)))
  }

  /** As Coordinator.write. */
  write(keyspace: string, mutations: Buffer, count: number, consistency: Consistency, writeType: WriteType, completion: Completion): void {
    validateForWrite(consistency)
    if (count === 1) {
      this.#writeOne(keyspace, mutations, consistency, writeType, completion)
      return
    }
    const group = new GroupCompletion(count, completion)
    let at = 0
    for (let left = count; left > 0; left--) {
      this.#writeOne(keyspace, mutations.subarray(at), consistency, writeType, group)
      at += mutationSizeAt(mutations, at)
    }
  }

  /**
   * Sends a mutation to one node and tells when it has it: read repair and hints. `verb` says which. No hint when it fails;
   * the error is a WriteTimeoutError or WriteFailureError.
   */
  deliver(verb: number, keyspace: string, mutation: Buffer, to: NodeId, completion: Completion): void {
    const record = this.#take(keyspace, mutation, CONSISTENCY.one, "SIMPLE", completion)
    record.verb = verb
    record.hinted = true
    record.required = 1
    this.#addReplica(record, to, true)
    this.#requests.add(record, this.#deps.timeouts.writeMs)
    const snapshot = this.#view.snapshot()
    this.#send(record, requiredEpoch(mutation, snapshot, this.#placement(record)))
  }

  /** Why the mutation cannot be written at the level now; null: it can be tried. */
  unavailable(keyspace: string, mutation: Buffer, consistency: Consistency): UnavailableError | null {
    const snapshot = this.#view.snapshot()
    const placement = snapshot.placement(keyspace, mutationTokenHigh(mutation), mutationTokenLow(mutation))
    if (placement === LOCAL_PLACEMENT) return null
    return this.#unavailable(placement, snapshot.replication(keyspace), consistency, this.#view.requiredForWrite(keyspace, consistency, placement))
  }

  #writeOne(keyspace: string, mutation: Buffer, consistency: Consistency, writeType: WriteType, completion: Completion): void {
    const view = this.#view
    const snapshot = view.snapshot()
    const placement = snapshot.placement(keyspace, mutationTokenHigh(mutation), mutationTokenLow(mutation))
    if (placement === LOCAL_PLACEMENT) {
      this.#applyAlone(mutation, consistency, writeType, completion)
      return
    }
    const required = view.requiredForWrite(keyspace, consistency, placement)
    if (required === 1 && placement.write.length === 1 && placement.write[0] === view.self && consistency !== CONSISTENCY.eachQuorum) {
      this.#applyAlone(mutation, consistency, writeType, completion)
      return
    }
    this.trace?.event("Determining replicas for mutation")
    const replication = snapshot.replication(keyspace)
    const unavailable = this.#unavailable(placement, replication, consistency, required)
    if (unavailable !== null) {
      completion.done(unavailable)
      return
    }
    const record = this.#take(keyspace, mutation, consistency, writeType, completion)
    record.required = required
    if (isEachQuorum(consistency, replication)) record.missingByDataCenter = quorums(replication)
    for (const node of placement.write) this.#addReplica(record, node, view.isAlive(node))
    this.#requests.add(record, this.#deps.timeouts.writeMs)
    this.#start(record, requiredEpoch(mutation, snapshot, placement))
  }

  /** This node is the only replica. Nothing is allocated when the store is done at once. */
  #applyAlone(mutation: Buffer, consistency: Consistency, writeType: WriteType, completion: Completion): void {
    this.trace?.event("Appending to commitlog")
    let applied: Maybe<unknown>
    try {
      applied = this.#deps.store.apply(mutation, "client", this.#deps.derive)
    } catch (error) {
      this.#failAlone(error, consistency, writeType, completion)
      return
    }
    if (!isPromise(applied)) completion.done(null)
    else applied.then(() => completion.done(null), (error: unknown) => this.#failAlone(error, consistency, writeType, completion))
  }

  #failAlone(error: unknown, consistency: Consistency, writeType: WriteType, completion: Completion): void {
    const failure = { address: this.#view.addressOf(this.#view.self), code: FAILURE.unknown }
    completion.done(requestErrorOf(error) ?? new WriteFailureError(consistency, 0, 1, [failure], writeType))
  }

  #unavailable(placement: Placement, replication: Replication, consistency: Consistency, required: number): UnavailableError | null {
    // At ANY a hint will do, and this node can always keep one.
    if (consistency === CONSISTENCY.any) return null
    const view = this.#view
    if (isEachQuorum(consistency, replication)) {
      for (const [dataCenter, factor] of replication.dataCenters) {
        let alive = 0
        for (const node of placement.write) if (view.dataCenterOf(node) === dataCenter && view.isAlive(node)) alive++
        if (alive < quorum(factor)) return new UnavailableError(consistency, quorum(factor), alive)
      }
      return null
    }
    let alive = 0
    for (const node of placement.write) if (view.isAlive(node) && view.counts(node, consistency)) alive++
    return alive < required ? new UnavailableError(consistency, required, alive) : null
  }

  #take(keyspace: string, mutation: Buffer, consistency: Consistency, writeType: WriteType, completion: Completion): WriteRecord {
    const record = this.#pool.pop() ?? new WriteRecord(this.#expired)
    record.keyspace = keyspace
    record.verb = VERB.write
    record.consistency = consistency
    record.writeType = writeType
    record.completion = completion
    record.trace = this.trace
    record.keep(mutation)
    return record
  }

  #release(record: WriteRecord): void {
    record.reset()
    if (record.bytes.length <= MAX_POOLED_BYTES && this.#pool.length < MAX_POOLED_RECORDS) this.#pool.push(record)
  }

  #addReplica(record: WriteRecord, node: NodeId, alive: boolean): void {
    record.nodes.push(node)
    record.states.push(alive ? REPLICA.waiting : REPLICA.down)
    if (!alive) return
    record.waiting++
    if (this.#view.counts(node, record.consistency)) record.candidates++
  }

  /** Hints come first: once the last replica that is up has answered, which may be this node at once, the record is gone. */
  #start(record: WriteRecord, epoch: number): void {
    let hinted = false
    for (let index = 0; index < record.nodes.length; index++) {
      if (record.states[index] === REPLICA.down) hinted = this.#hint(record, record.nodes[index] as NodeId) || hinted
    }
    if (record.waiting > 0) {
      this.#send(record, epoch)
      return
    }
    if (hinted && record.consistency === CONSISTENCY.any) {
      this.#finishHinted(record)
      return
    }
    this.#close(record)
  }

  /** At ANY, with no replica up: the hints are the write. */
  #finishHinted(record: WriteRecord): void {
    const id = record.requestId
    const stored = (areKept: boolean): void => {
      const open = this.#requests.get(id)
      if (!(open instanceof WriteRecord)) return
      this.#finish(open, areKept ? null : this.#timeout(open))
      this.#close(open)
    }
    const kept = this.#deps.hints.store()
    if (isPromise(kept)) void kept.then(stored)
    else stored(kept)
  }

  /** Sends to every replica that is waited for, and applies here last: the others are at work meanwhile. */
  #send(record: WriteRecord, epoch: number): void {
    const { router } = this.#deps
    const self = this.#view.self
    record.sentEpoch = this.#view.snapshot().epoch
    let local = false
    let begun = false
    for (let index = 0; index < record.nodes.length; index++) {
      if (record.states[index] !== REPLICA.waiting) continue
      const node = record.nodes[index] as NodeId
      if (node === self) {
        local = true
        continue
      }
      if (!begun) {
        const out = router.begin(record.verb, 0, record.requestId)
        out.uint32(epoch)
        out.copy(record.bytes, 0, record.size)
        begun = true
      }
      record.trace?.event(`Sending MUTATION_REQ message to /${this.#view.addressOf(node)}`)
      // A message that could not be queued is one more that may be lost: the deadline makes it a hint.
      router.send(node)
    }
    if (local) this.#applyHere(record)
  }

  #applyHere(record: WriteRecord): void {
    const id = record.requestId
    record.trace?.event("Appending to commitlog")
    const source: ApplySource = record.verb === VERB.hint ? "hint" : record.verb === VERB.readRepair ? "read_repair" : "client"
    let applied: Maybe<unknown>
    try {
      applied = this.#deps.store.apply(record.mutation(), source, this.#deps.derive)
    } catch (error) {
      this.#failHere(id, error)
      return
    }
    if (!isPromise(applied)) this.#settle(record, this.#view.self, true, 0)
    else applied.then(() => this.#settleById(id, this.#view.self), (error: unknown) => this.#failHere(id, error))
  }

  #failHere(id: number, error: unknown): void {
    const refused = requestErrorOf(error)
    const record = this.#requests.get(id)
    if (!(record instanceof WriteRecord)) return
    if (refused !== null) this.#finish(record, refused)
    this.#settle(record, this.#view.self, false, FAILURE.unknown)
  }

  #settleById(id: number, node: NodeId): void {
    const record = this.#requests.get(id)
    if (record instanceof WriteRecord) this.#settle(record, node, true, 0)
  }

  /** The message's own request and those its payload names. */
  #acknowledged({ requestId, from, bytes, at }: Message): void {
    this.#answered(requestId, from, true, 0)
    for (let next = at; next + 4 <= bytes.length; next += 4) this.#answered(readUint32(bytes, next), from, true, 0)
  }

  #refused({ requestId, from, epoch }: Message, code: number): void {
    if (code !== FAILURE.staleEpoch) {
      this.#answered(requestId, from, false, code)
      return
    }
    const record = this.#requests.get(requestId)
    // An answer to an earlier sending, when it has been sent since at that epoch.
    if (record instanceof WriteRecord && epoch > Math.max(record.sentEpoch, record.awaitedEpoch)) this.#sendAgain(record, from, epoch)
  }

  #answered(requestId: number, from: NodeId, acknowledged: boolean, code: number): void {
    const record = this.#requests.get(requestId)
    if (!(record instanceof WriteRecord)) return
    record.trace?.event(`REQUEST_RSP message received from /${this.#view.addressOf(from)}`)
    this.#settle(record, from, acknowledged, code)
  }

  #settle(record: WriteRecord, node: NodeId, acknowledged: boolean, code: number): void {
    const index = record.nodes.indexOf(node)
    if (index < 0 || record.states[index] !== REPLICA.waiting) return
    record.states[index] = acknowledged ? REPLICA.acknowledged : REPLICA.failed
    record.waiting--
    if (acknowledged) this.#count(record, node)
    else this.#fail(record, node, code)
    if (record.waiting === 0) this.#close(record)
  }

  #count(record: WriteRecord, node: NodeId): void {
    if (!this.#view.counts(node, record.consistency)) return
    record.received++
    const missing = record.missingByDataCenter
    if (missing !== null) {
      const dataCenter = this.#view.dataCenterOf(node)
      missing.set(dataCenter, (missing.get(dataCenter) ?? 0) - 1)
    }
    if (record.completion !== null && record.isSatisfied()) this.#finish(record, null)
  }

  #fail(record: WriteRecord, node: NodeId, code: number): void {
    if (code !== FAILURE.unknownTable) this.#hint(record, node)
    if (!this.#view.counts(node, record.consistency)) return
    record.failures.push({ node, code })
    if (record.completion !== null && record.candidates - record.failures.length < record.required) this.#finish(record, this.#failure(record))
  }

  #failure(record: WriteRecord): RequestError {
    const failures = record.failures.map(({ node, code }) => ({ address: this.#view.addressOf(node), code: clientFailureCode(code) }))
    return new WriteFailureError(record.consistency, record.received, record.required, failures, record.writeType)
  }

  /** Answers the client; what is still missing is waited for without it. */
  #finish(record: WriteRecord, error: RequestError | null): void {
    const completion = record.completion
    record.completion = null
    record.trace = null
    completion?.done(error)
  }

  /** Everybody has answered. */
  #close(record: WriteRecord): void {
    this.#requests.remove(record)
    // Only data centres can be short now, or a level that asks for more replicas than there are.
    if (record.completion !== null) this.#finish(record, record.failures.length > 0 ? this.#failure(record) : this.#timeout(record))
    this.#release(record)
  }

  #expire(record: WriteRecord): void {
    for (let index = 0; index < record.nodes.length; index++) {
      if (record.states[index] === REPLICA.waiting) this.#hint(record, record.nodes[index] as NodeId)
    }
    if (record.completion !== null) this.#finish(record, this.#timeout(record))
    this.#release(record)
  }

  #timeout(record: WriteRecord): RequestError {
    const received = Math.min(record.received, record.required - 1)
    return new WriteTimeoutError(record.consistency, received, record.required, record.writeType)
  }

  /** True when a hint was kept. */
  #hint(record: WriteRecord, node: NodeId): boolean {
    if (record.hinted || node === this.#view.self) return false
    const { schema, epoch } = this.#view.snapshot()
    const mutation = record.mutation()
    for (const table of tablesOf(mutation)) if (schema.tableById(table)?.kind === "view") return false
    return this.#deps.hints.add(node, mutation, epoch)
  }

  #placement(record: WriteRecord): Placement {
    const mutation = record.mutation()
    return this.#view.snapshot().placement(record.keyspace, mutationTokenHigh(mutation), mutationTokenLow(mutation))
  }

  /** A replica knows more than this node did when it sent: catch up, then send to whoever owns the range now. */
  #sendAgain(record: WriteRecord, node: NodeId, epoch: number): void {
    const id = record.requestId
    record.awaitedEpoch = epoch
    const again = (): void => {
      const open = this.#requests.get(id)
      if (open instanceof WriteRecord) this.#restart(open)
    }
    const { metadata, clock, timeouts } = this.#deps
    const waiting = metadata.waitFor(epoch, clock.monotonicMs() + timeouts.writeMs)
    if (!isPromise(waiting)) again()
    else waiting.then(again, () => {
      const open = this.#requests.get(id)
      if (open instanceof WriteRecord) this.#settle(open, node, false, FAILURE.staleEpoch)
    })
  }

  #restart(record: WriteRecord): void {
    const snapshot = this.#view.snapshot()
    const placement = this.#placement(record)
    if (record.verb === VERB.write) {
      for (const node of placement.write) {
        if (!record.nodes.includes(node)) this.#addReplica(record, node, this.#view.isAlive(node))
      }
      record.required = Math.max(record.required, this.#view.requiredForWrite(record.keyspace, record.consistency, placement))
    }
    this.#send(record, requiredEpoch(record.mutation(), snapshot, placement))
  }
}

function quorums(replication: Replication): Map<string, number> {
  return new Map([...replication.dataCenters].map(([dataCenter, factor]) => [dataCenter, quorum(factor)]))
}
