// The cluster metadata of a simulated cluster: one list of changes outside all nodes, which each running node follows
// after a delay of its own. How the list is replicated is tested elsewhere; here it never fails, but nodes do lag.
import {
  type Change, type ClusterMetadata, MetadataUnavailableError, type Snapshot, type Unsubscribe,
} from "../../coordinator/cluster/cluster-metadata.ts"
import { type MetadataState, applyChange, buildSnapshot, emptyState } from "../../coordinator/cluster/snapshot.ts"
import type { Epoch, KeyspaceSchema } from "../../data/schema.ts"
import type { Clock } from "../../runtime/clock.ts"
import type { Random } from "../../runtime/random.ts"
import type { Maybe } from "../../runtime/pure.ts"

const MAX_LAG_MS = 200

export class SimulatedMetadataLog {
  readonly system: readonly KeyspaceSchema[]
  readonly followers = new Map<number, SimulatedMetadata>()
  /** What each node has applied, as its disk would keep it. */
  readonly applied = new Map<number, Epoch>()
  readonly #states: MetadataState[]

  constructor(clusterName: string, system: readonly KeyspaceSchema[]) {
    this.system = system
    this.#states = [emptyState(clusterName)]
  }

  get last(): MetadataState {
    return this.#states.at(-1) as MetadataState
  }
  state(epoch: Epoch): MetadataState {
    return this.#states[epoch] as MetadataState
  }

  /** Throws StaleSchemaError. */
  append(change: Change): Epoch {
    const next = applyChange(this.last, change)
    this.#states.push(next)
    for (const follower of this.followers.values()) follower.follow(next.epoch)
    return next.epoch
  }
}

export class SimulatedMetadata implements ClusterMetadata {
  readonly #log: SimulatedMetadataLog
  readonly #node: number
  readonly #clock: Clock
  readonly #random: Random
  /** Makes what a change does to this node's data safe before the change counts as applied; null: it does nothing. */
  persist: (next: Snapshot, previous: Snapshot) => Promise<unknown> | null = () => null
  #snapshot: Snapshot
  #target: Epoch = 0
  #isCatchingUp = false
  readonly #subscribers = new Set<(snapshot: Snapshot, previous: Snapshot) => void>()
  /** Asked after every change of any follower. */
  readonly #waiting = new Set<() => void>()

  /** Starts with what the node had applied when it was last up (everything, the first time), and follows from there. */
  constructor(log: SimulatedMetadataLog, node: number, clock: Clock, random: Random) {
    this.#log = log
    this.#node = node
    this.#clock = clock
    this.#random = random
    const epoch = log.applied.get(node) ?? log.last.epoch
    log.applied.set(node, epoch)
    this.#snapshot = buildSnapshot(log.state(epoch), log.system, null)
  }

  /** REQUIRES: whoever must see every change has subscribed. */
  start(): void {
    this.#log.followers.set(this.#node, this)
    this.follow(this.#log.last.epoch)
  }

  current(): Snapshot {
    return this.#snapshot
  }

  async propose(change: Change): Promise<Epoch> {
    await this.#clock.sleep(this.#random.float() * 5)
    const epoch = this.#log.append(change)
    await this.waitFor(epoch, Infinity)
    return epoch
  }

  /** The change will be applied here in a while. */
  follow(epoch: Epoch): void {
    this.#clock.after(this.#random.float() * MAX_LAG_MS, () => {
      this.#target = Math.max(this.#target, epoch)
      if (!this.#isCatchingUp) void this.#catchUp()
    })
  }

  waitFor(epoch: Epoch, deadlineMs: number): Maybe<void> {
    if (this.#snapshot.epoch >= epoch) return undefined
    return this.#until(() => this.#snapshot.epoch >= epoch, deadlineMs).then((reached) => {
      if (!reached) throw new MetadataUnavailableError(`epoch ${epoch} did not arrive in time`)
    })
  }

  waitForAll(epoch: Epoch, deadlineMs: number): Promise<boolean> {
    return this.#until(() => [...this.#log.followers.values()].every((follower) => follower.current().epoch >= epoch), deadlineMs)
  }

  subscribe(fn: (snapshot: Snapshot, previous: Snapshot) => void): Unsubscribe {
    this.#subscribers.add(fn)
    return () => this.#subscribers.delete(fn)
  }

  async #catchUp(): Promise<void> {
    this.#isCatchingUp = true
    while (this.#snapshot.epoch < this.#target) {
      const previous = this.#snapshot
      const next = buildSnapshot(this.#log.state(previous.epoch + 1), this.#log.system, previous)
      const saving = this.persist(next, previous)
      if (saving !== null) await saving
      this.#apply(next, previous)
    }
    this.#isCatchingUp = false
  }

  #apply(next: Snapshot, previous: Snapshot): void {
    this.#log.applied.set(this.#node, next.epoch)
    this.#snapshot = next
    for (const subscriber of this.#subscribers) subscriber(next, previous)
    for (const follower of this.#log.followers.values()) for (const look of follower.#waiting) look()
  }

  #until(condition: () => boolean, deadlineMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (condition()) finish(true)
      }
      const finish = (reached: boolean): void => {
        this.#waiting.delete(look)
        resolve(reached)
      }
      this.#waiting.add(look)
      if (deadlineMs !== Infinity) this.#clock.after(Math.max(0, deadlineMs - this.#clock.monotonicMs()), () => finish(condition()))
      look()
    })
  }
}
