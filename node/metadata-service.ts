// The cluster metadata with one fixed leader: the node that began the cluster. It orders the changes, makes each durable
// before it answers, and sends it to everybody; a follower that missed one (its epoch in the heartbeats tells) fetches
// the whole state. The leader also sends the whole state to whomever it gets a link to: one that does not know the
// leader's new address cannot fetch. Reads and writes of data never wait for any of this.
//
// What it does not do: survive the loss of the leader's disk, or change the schema while the leader is down.
import {
  type Change, type ClusterMetadata, MetadataUnavailableError, type Snapshot, StaleSchemaError, type Unsubscribe,
} from "../coordinator/cluster/cluster-metadata.ts"
import { type Message, type MessageRouter, VERB } from "../coordinator/messages.ts"
import { type MetadataState, applyChange, buildSnapshot } from "../coordinator/cluster/snapshot.ts"
import type { Epoch } from "../data/schema.ts"
import type { Clock, Timer } from "../runtime/clock.ts"
import { LANE } from "../runtime/network.ts"
import type { Maybe } from "../runtime/pure.ts"
import { type ControlMessage, decodeControl, encodeControl } from "./control-message.ts"
import type { KeyspaceSchema } from "../data/schema.ts"

const PROPOSE_TIMEOUT_MS = 10_000
const RETRY_MS = 100

interface Waiter {
  readonly epoch: Epoch
  readonly resolve: () => void
  readonly timer: Timer
}

interface Proposal {
  readonly resolve: (epoch: Epoch) => void
  readonly reject: (error: Error) => void
  readonly timer: Timer
}

export interface MetadataServiceOptions {
  readonly state: MetadataState
  readonly leader: number
  readonly router: MessageRouter
  readonly clock: Clock
  readonly system: readonly KeyspaceSchema[]
  /** Makes a state durable. */
  readonly persist: (state: MetadataState) => Promise<void>
  readonly isAlive: (node: number) => boolean
}

export class MetadataService implements ClusterMetadata {
  readonly #options: MetadataServiceOptions
  #state: MetadataState
  #snapshot: Snapshot
  /** Changes are applied one after the other: each waits for the one before to be durable. */
  #queue: Promise<unknown> = Promise.resolve()
  #fetching = false
  #nextRequest = 1
  readonly #proposals = new Map<number, Proposal>()
  readonly #waiters = new Set<Waiter>()
  readonly #subscribers = new Set<(snapshot: Snapshot, previous: Snapshot) => void>()
  readonly #peerEpochs = new Map<number, Epoch>()
  readonly #epochListeners = new Set<() => void>()

  constructor(options: MetadataServiceOptions) {
    this.#options = options
    this.#state = options.state
    this.#snapshot = buildSnapshot(options.state, options.system, null)
    options.router.handle(VERB.metadata, (message) => this.#receive(message))
    options.router.onLink((peer, up) => {
      if (up && this.isLeader) this.#answer(peer, 0, ["state", JSON.stringify(this.#state)])
    })
  }

  get leader(): number {
    return this.#options.leader
  }

  get isLeader(): boolean {
    return this.#options.router.self === this.#options.leader
  }

  current(): Snapshot {
    return this.#snapshot
  }

  state(): MetadataState {
    return this.#state
  }

  subscribe(fn: (snapshot: Snapshot, previous: Snapshot) => void): Unsubscribe {
    this.#subscribers.add(fn)
    return () => this.#subscribers.delete(fn)
  }

  propose(change: Change): Promise<Epoch> {
    if (this.isLeader) return this.#commit(change)
    return new Promise((resolve, reject) => {
      const { router, clock, leader } = this.#options
      const id = this.#nextRequest++
      const deadlineMs = clock.monotonicMs() + PROPOSE_TIMEOUT_MS
      const timer = clock.after(PROPOSE_TIMEOUT_MS, () => {
        this.#proposals.delete(id)
        reject(new MetadataUnavailableError("The node that orders schema and topology changes did not answer in time"))
      })
      this.#proposals.set(id, { resolve, reject, timer })
      const bytes = encodeControl(["propose", JSON.stringify(change)])
      // Sent again only while the message cannot have left: a proposal that may have arrived is not made twice.
      const attempt = (): void => {
        if (!this.#proposals.has(id)) return
        router.begin(VERB.metadata, 0, id).bytes(bytes)
        if (!router.send(leader, LANE.control) && clock.monotonicMs() < deadlineMs) clock.after(RETRY_MS, attempt)
      }
      attempt()
    })
  }

  waitFor(epoch: Epoch, deadlineMs: number): Maybe<void> {
    if (this.#snapshot.epoch >= epoch) return undefined
    const { clock } = this.#options
    return new Promise((resolve, reject) => {
      const timer = clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
        this.#waiters.delete(waiter)
        reject(new MetadataUnavailableError(`Metadata epoch ${epoch} did not arrive in time`))
      })
      const waiter: Waiter = { epoch, resolve, timer }
      this.#waiters.add(waiter)
      this.#fetch(this.#options.leader)
    })
  }

  waitForAll(epoch: Epoch, deadlineMs: number): Promise<boolean> {
    const { clock } = this.#options
    return new Promise((resolve) => {
      let timer: Timer | null = null
      const finish = (all: boolean): void => {
        this.#epochListeners.delete(check)
        if (timer !== null) clock.cancel(timer)
        resolve(all)
      }
      const check = (): void => {
        if (this.#allApplied(epoch)) finish(true)
      }
      timer = clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), () => finish(this.#allApplied(epoch)))
      this.#epochListeners.add(check)
      check()
    })
  }

  /** What the heartbeats say of a peer's epoch. */
  epochSeen(node: number, epoch: Epoch): void {
    this.#peerEpochs.set(node, epoch)
    if (epoch > this.#snapshot.epoch) this.#fetch(node)
    for (const listener of this.#epochListeners) listener()
  }

  #allApplied(epoch: Epoch): boolean {
    if (this.#snapshot.epoch < epoch) return false
    for (const node of this.#snapshot.nodes.keys()) {
      if (node === this.#options.router.self || !this.#options.isAlive(node)) continue
      if ((this.#peerEpochs.get(node) ?? 0) < epoch) return false
    }
    return true
  }

  /** Leader only: orders, makes durable, adopts and spreads a change. */
  #commit(change: Change): Promise<Epoch> {
    return this.#enqueue(async () => {
      const next = applyChange(this.#state, change)
      await this.#options.persist(next)
      this.#adopt(next)
      this.#spread(["entry", next.epoch, JSON.stringify(change)])
      return next.epoch
    })
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work)
    this.#queue = result.catch(() => undefined)
    return result
  }

  #adopt(next: MetadataState): void {
    const previous = this.#snapshot
    this.#state = next
    this.#snapshot = buildSnapshot(next, this.#options.system, previous)
    for (const subscriber of this.#subscribers) subscriber(this.#snapshot, previous)
    for (const waiter of this.#waiters) {
      if (waiter.epoch > next.epoch) continue
      this.#waiters.delete(waiter)
      this.#options.clock.cancel(waiter.timer)
      waiter.resolve()
    }
    for (const listener of this.#epochListeners) listener()
  }

  #spread(message: ControlMessage): void {
    const { router } = this.#options
    router.begin(VERB.metadata, 0, 0).bytes(encodeControl(message))
    for (const node of this.#snapshot.nodes.keys()) {
      if (node !== router.self) router.send(node, LANE.control)
    }
  }

  #fetch(from: number): void {
    if (this.#fetching || from === this.#options.router.self) return
    // A node that joined after this one is heard before it can be asked: whoever is heard next is.
    if (!this.#answer(from, 0, ["fetch", this.#state.epoch])) return
    // One at a time; when the answer is lost the next heartbeat asks again.
    this.#fetching = true
    this.#options.clock.after(RETRY_MS, () => {
      this.#fetching = false
    })
  }

  /** False when there is no way to the node now. */
  #answer(to: number, requestId: number, message: ControlMessage): boolean {
    const { router } = this.#options
    router.begin(VERB.metadata, 0, requestId).bytes(encodeControl(message))
    return router.send(to, LANE.control)
  }

  #receive(message: Message): void {
    const control = decodeControl(message.bytes.subarray(message.at))
    if (control === null) return
    const from = message.from
    switch (control[0]) {
      case "propose":
        this.#proposed(from, message.requestId, JSON.parse(String(control[1])) as Change)
        return
      case "committed":
        this.#settle(message.requestId, Number(control[1]), null)
        return
      case "refused":
        this.#settle(message.requestId, 0, control[1] === "stale" ? new StaleSchemaError(String(control[2])) : new MetadataUnavailableError(String(control[2])))
        return
      case "entry":
        this.#follow(from, Number(control[1]), JSON.parse(String(control[2])) as Change)
        return
      case "fetch":
        if (this.#state.epoch > Number(control[1])) this.#answer(from, 0, ["state", JSON.stringify(this.#state)])
        return
      case "state":
        void this.install(JSON.parse(String(control[1])) as MetadataState)
        return
      default:
        return
    }
  }

  #proposed(from: number, requestId: number, change: Change): void {
    if (!this.isLeader) {
      this.#answer(from, requestId, ["refused", "leader", "This node does not order schema and topology changes"])
      return
    }
    this.#commit(change).then(
      (epoch) => this.#answer(from, requestId, ["committed", epoch]),
      (error: unknown) => this.#answer(from, requestId, ["refused", error instanceof StaleSchemaError ? "stale" : "failed", String((error as Error).message)]),
    )
  }

  /** An answer to a proposal of ours. It counts once the entry is applied here too. */
  #settle(requestId: number, epoch: Epoch, error: Error | null): void {
    const proposal = this.#proposals.get(requestId)
    if (proposal === undefined) return
    this.#proposals.delete(requestId)
    this.#options.clock.cancel(proposal.timer)
    if (error !== null) {
      proposal.reject(error)
      return
    }
    const waiting = this.waitFor(epoch, this.#options.clock.monotonicMs() + PROPOSE_TIMEOUT_MS)
    if (waiting === undefined) proposal.resolve(epoch)
    else (waiting as Promise<void>).then(() => proposal.resolve(epoch), proposal.reject)
  }

  #follow(from: number, epoch: Epoch, change: Change): void {
    void this.#enqueue(async () => {
      if (epoch <= this.#state.epoch) return
      if (epoch > this.#state.epoch + 1) {
        this.#fetch(from)
        return
      }
      const next = applyChange(this.#state, change)
      await this.#options.persist(next)
      this.#adopt(next)
    })
  }

  /** Adopts a state of the leader's that came by another way; resolves when this node's is at least as new. */
  install(state: MetadataState): Promise<void> {
    return this.#enqueue(async () => {
      if (state.epoch <= this.#state.epoch) return
      await this.#options.persist(state)
      this.#adopt(state)
    })
  }
}
