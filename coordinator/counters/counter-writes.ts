// Updates of counters. They add, so that applying one twice would be wrong: exactly one replica, the leader, turns each into
// a shard's new value, which is then written like anything else.
//
// 1. This node leads when it is a replica; otherwise the nearest replica that is up does, and gets the update with the
//    consistency level (VERB.counterWrite).
// 2. The leader resolves the update (counter-leader.ts) and writes the result to all replicas at the level.
// 3. It answers with VERB.counterAck, or with the error (VERB.counterFailed). Nothing is sent twice: an update whose answer
//    is lost may have been made, and the client is told of a timeout.
//
//   counterWrite   u32 requiredEpoch, u8 consistency, mutation
//   counterFailed  u8 kind (1 unavailable, 2 timeout, 3 failure), u16 required, u16 received or alive
import { type Consistency, RequestError, UnavailableError, WriteFailureError, WriteTimeoutError } from "../../cql/errors.ts"
import { mutationTokenHigh, mutationTokenLow } from "../../data/mutation.ts"
import type { NodeId } from "../../runtime/network.ts"
import { AssertionError, Buffer, isPromise } from "../../runtime/pure.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { Completion } from "../coordinator.ts"
import type { CoordinatorDeps } from "../coordinator-deps.ts"
import { FAILURE } from "../failure.ts"
import { GroupCompletion } from "../group-completion.ts"
import { type Message, VERB } from "../messages.ts"
import { firstTable, mutationSizeAt, requiredEpoch } from "../writes/mutation-tables.ts"
import { LOCAL_PLACEMENT } from "../cluster/placement.ts"
import type { InFlight, RequestTable } from "../request-table.ts"
import type { WritePath } from "../writes/write-path.ts"
import { CounterLeader } from "./counter-leader.ts"

const FAILED = { unavailable: 1, timeout: 2, failure: 3 } as const

/** An update that another node leads. */
class LedElsewhere implements InFlight {
  requestId = 0
  readonly leader: NodeId
  readonly consistency: Consistency
  readonly required: number
  readonly completion: Completion

  constructor(leader: NodeId, consistency: Consistency, required: number, completion: Completion) {
    this.leader = leader
    this.consistency = consistency
    this.required = required
    this.completion = completion
  }
  expire(): void {
    this.completion.done(new WriteTimeoutError(this.consistency, 0, this.required, "COUNTER"))
  }
}

export class CounterWrites {
  readonly #deps: CoordinatorDeps
  readonly #view: ClusterView
  readonly #requests: RequestTable
  readonly #writes: WritePath
  readonly #leader: CounterLeader

  constructor(deps: CoordinatorDeps, view: ClusterView, requests: RequestTable, writes: WritePath) {
    this.#deps = deps
    this.#view = view
    this.#requests = requests
    this.#writes = writes
    this.#leader = new CounterLeader(deps.store, deps.clock, deps.self, deps.random.child("counter shard").uint32())
    deps.router.handle(VERB.counterWrite, (message) => this.#receive(message))
    deps.router.handle(VERB.counterAck, (message) => this.#answered(message, null))
    deps.router.handle(VERB.counterFailed, (message) => this.#answered(message, message.bytes))
  }

  /** Mutations of counter tables, one behind the other, of one keyspace; copied. */
  write(keyspace: string, mutations: Buffer, count: number, consistency: Consistency, completion: Completion): void {
    const group = count === 1 ? completion : new GroupCompletion(count, completion)
    for (let at = 0; at < mutations.length; ) {
      const size = mutationSizeAt(mutations, at)
      this.#writeOne(keyspace, Buffer.from(mutations.subarray(at, at + size)), consistency, group)
      at += size
    }
  }

  #writeOne(keyspace: string, mutation: Buffer, consistency: Consistency, completion: Completion): void {
    const view = this.#view
    const snapshot = view.snapshot()
    const placement = snapshot.placement(keyspace, mutationTokenHigh(mutation), mutationTokenLow(mutation))
    if (placement === LOCAL_PLACEMENT || placement.read.includes(view.self)) {
      this.#lead(keyspace, mutation, consistency, completion)
      return
    }
    const required = view.requiredForWrite(keyspace, consistency, placement)
    const alive = placement.read.filter((node) => view.isAlive(node))
    const leader = alive.find((node) => view.isInOwnDataCenter(node)) ?? alive[0]
    if (leader === undefined) {
      completion.done(new UnavailableError(consistency, required, 0))
      return
    }
    const request = new LedElsewhere(leader, consistency, required, completion)
    this.#requests.add(request, this.#deps.timeouts.writeMs)
    const out = this.#deps.router.begin(VERB.counterWrite, 0, request.requestId)
    out.uint32(requiredEpoch(mutation, snapshot, placement))
    out.uint8(consistency)
    out.bytes(mutation)
    this.#deps.router.send(leader)
  }

  /** As leader: here, then everywhere. */
  #lead(keyspace: string, mutation: Buffer, consistency: Consistency, completion: Completion): void {
    const placement = this.#view.snapshot().placement(keyspace, mutationTokenHigh(mutation), mutationTokenLow(mutation))
    if (placement !== LOCAL_PLACEMENT) {
      // Who cannot reach the level must not begin: what it added would stay.
      const required = this.#view.requiredForWrite(keyspace, consistency, placement)
      const alive = placement.write.filter((node) => this.#view.isAlive(node) && this.#view.counts(node, consistency)).length
      if (alive < required) {
        completion.done(new UnavailableError(consistency, required, alive))
        return
      }
    }
    this.#leader.lead(mutation, this.#view.snapshot().schema).then(
      (resolved) => this.#writes.write(keyspace, resolved, 1, consistency, "COUNTER", completion),
      (error: unknown) => {
        if (error instanceof AssertionError || error instanceof TypeError || error instanceof RangeError) throw error
        if (error instanceof RequestError) completion.done(error)
        else completion.done(new WriteFailureError(consistency, 0, 1, [{ address: this.#view.addressOf(this.#view.self), code: FAILURE.unknown }], "COUNTER"))
      },
    )
  }

  #receive(message: Message): void {
    const { from, requestId, bytes, at } = message
    const consistency = bytes[at + 4] as Consistency
    const mutation = Buffer.from(bytes.subarray(at + 5))
    const { metadata, clock, timeouts } = this.#deps
    const completion: Completion = { done: (error) => this.#answer(from, requestId, error) }
    const begin = (): void => {
      const keyspace = metadata.current().schema.tableById(firstTable(mutation))?.keyspace
      if (keyspace === undefined) this.#answer(from, requestId, new WriteFailureError(consistency, 0, 1, [], "COUNTER"))
      else this.#lead(keyspace, mutation, consistency, completion)
    }
    const waiting = metadata.waitFor(bytes.readUInt32BE(at), clock.monotonicMs() + timeouts.writeMs / 2)
    // A leader that cannot catch up answers nothing: nothing was added.
    if (isPromise(waiting)) waiting.then(begin, () => undefined)
    else begin()
  }

  #answer(to: NodeId, requestId: number, error: RequestError | null): void {
    const { router, store } = this.#deps
    if (error === null) {
      store.writeOut()
      router.begin(VERB.counterAck, 0, requestId)
    } else {
      const out = router.begin(VERB.counterFailed, 0, requestId)
      const isWrite = error instanceof WriteTimeoutError || error instanceof WriteFailureError
      out.uint8(error instanceof UnavailableError ? FAILED.unavailable : error instanceof WriteTimeoutError ? FAILED.timeout : FAILED.failure)
      out.uint16(isWrite || error instanceof UnavailableError ? error.required : 1)
      out.uint16(error instanceof UnavailableError ? error.alive : isWrite ? error.received : 0)
    }
    router.send(to)
  }

  #answered(message: Message, failure: Buffer | null): void {
    const request = this.#requests.get(message.requestId)
    if (!(request instanceof LedElsewhere)) return
    this.#requests.remove(request)
    request.completion.done(failure === null ? null : this.#error(request, message))
  }

  #error({ leader, consistency }: LedElsewhere, { bytes, at }: Message): RequestError {
    const required = bytes.readUInt16BE(at + 1)
    const count = bytes.readUInt16BE(at + 3)
    if (bytes[at] === FAILED.unavailable) return new UnavailableError(consistency, required, count)
    if (bytes[at] === FAILED.timeout) return new WriteTimeoutError(consistency, count, required, "COUNTER")
    return new WriteFailureError(consistency, count, required, [{ address: this.#view.addressOf(leader), code: FAILURE.unknown }], "COUNTER")
  }
}
