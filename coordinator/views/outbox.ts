// The obligations of one base replica that are not discharged yet, and their delivery (views.md, section 4).
//
// 1. `add` takes an obligation from a log record (or from the builder). One per (view, base row, view key): a newer one
//    takes the older one's place, with a version of its own and all targets again.
// 2. Once the record is durable the obligation is ready: the base row is read as it is now, and for every owner of the
//    view key an entry built from it goes into the owner's next message.
// 3. An owner acknowledges a version when its own record is durable. The acknowledgement counts only while the
//    obligation still has that version. With the last owner's the obligation is gone and its log segment free.
// 4. What is not acknowledged in time, was refused, or could not be sent, is built and sent again; for an owner that is
//    down: when it is up. When ownership changes, new owners are owed everything that is still open.
//
// INVARIANT: an obligation is here, or every owner of its view key acknowledged a state at least as new as the one it
// was made for. INVARIANT: some durable log segment that is held has a record of every obligation here that has a durable
// record. Order of sending is irrelevant. What it does not do: bound its memory by collapsing to dirty ranges.
import type { LocalStore, LogPosition, RowView } from "../../data/local-store.ts"
import type { TableSchema } from "../../data/schema.ts"
import { tokenOf } from "../../data/token.ts"
import type { Clock, Timer } from "../../runtime/clock.ts"
import { assert, isPromise } from "../../runtime/pure.ts"
import type { Liveness, Snapshot } from "../cluster-metadata.ts"
import { viewPartitionKey } from "./entry-mutation.ts"
import { type ObligationRecord, decodeObligation, obligationName } from "./obligation.ts"
import type { Obligation, SharedHold } from "./outbox-obligation.ts"
import { readRowView } from "./read-row.ts"
import { TargetQueue } from "./target-queue.ts"

/** How entries reach their owners: see delivery.ts. What it cannot send now is not acknowledged, and sent again. */
export interface Delivery {
  /** Adds the entry to the target's next message. */
  send(target: number, version: number, base: TableSchema, view: TableSchema, row: RowView, viewKey: readonly Buffer[]): void
  /** Applies the entry here; acknowledged as if this node were another, once it is durable. */
  applyHere(version: number, base: TableSchema, view: TableSchema, row: RowView, viewKey: readonly Buffer[]): void
}

const RESEND_AFTER_MS = 2000
const SWEEP_INTERVAL_MS = 250
/** Entries on the way to one owner: more wait here. */
const WINDOW = 2048
/** Entries made in one turn of the event loop. */
const MAX_PER_TURN = 500

export interface OutboxOptions {
  readonly self: number
  readonly store: () => LocalStore
  readonly current: () => Snapshot
  readonly liveness: Liveness
  readonly clock: Clock
  readonly delivery: Delivery
}

type ObligationKey = Pick<ObligationRecord, "base" | "view" | "key" | "clustering" | "viewKey">

export class Outbox {
  readonly #options: OutboxOptions
  readonly #byName = new Map<string, Obligation>()
  readonly #byVersion = new Map<number, Obligation>()
  #lastVersion = 0
  readonly #holds = new Map<number, SharedHold>()
  /** Added in this turn, with their records' holds: they wait for one sync together. */
  #arriving: Obligation[] = []
  #arrivingHolds: SharedHold[] = []
  #arrivingPosition: LogPosition | null = null
  #ready: Obligation[] = []
  #pumping = false
  readonly #queues = new Map<number, TargetQueue>()
  #timer: Timer | null = null
  #stopped = false

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  /** Obligations not discharged. */
  get size(): number {
    return this.#byName.size
  }

  start(): void {
    this.#timer = this.#options.clock.after(SWEEP_INTERVAL_MS, () => {
      this.#sweep()
      if (!this.#stopped) this.start()
    })
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) this.#options.clock.cancel(this.#timer)
  }

  /** An obligation of a log record; `bytes` is kept. */
  add(bytes: Uint8Array, position: LogPosition): void {
    const record = decodeObligation(bytes)
    const obligation = this.#upsert(record, record.selfWritten)
    if (this.#arriving.length === 0) this.#options.clock.atTurnEnd(() => this.#awaitDurable())
    this.#arriving.push(obligation)
    this.#arrivingHolds.push(this.#takeHold(position))
    obligation.arriving++
    this.#arrivingPosition = position
  }

  /** An obligation of the view builder: in memory only, since an unfinished build starts again. `onDone` when it is discharged. */
  addBuilt(fields: ObligationKey, onDone: () => void): void {
    const obligation = this.#upsert(fields, false)
    const before = obligation.onDone
    obligation.onDone = before === null ? onDone : () => { before(); onDone() }
    this.#makeReady([obligation])
  }

  /** `target` has made the entry of `version` durable. */
  acknowledged(target: number, version: number): void {
    this.#queue(target).landed(version)
    this.#pumpSoon()
    const obligation = this.#byVersion.get(version)
    if (obligation === undefined || obligation.targets === null) return
    obligation.targets.delete(target)
    if (obligation.targets.size === 0) this.#discharge(obligation)
  }

  /** `target` refused the entry: it is built again in a while, when this node has learnt what the target knows. */
  refused(target: number, version: number): void {
    const queue = this.#queue(target)
    queue.landed(version)
    const obligation = this.#byVersion.get(version)
    if (obligation !== undefined) queue.waitLonger(obligation)
  }

  /** A target is up (again). */
  nodeUp(_target: number): void {
    this.#pumpSoon()
  }

  /**
   * The metadata has changed. New owners of a view key are owed what is open, who owns it no more is owed nothing, and
   * nothing is owed to views that are dropped (views.md, section 8). Called before anything is sent under the new epoch.
   */
  metadataChanged(next: Snapshot, previous: Snapshot): void {
    if (next.schema === previous.schema && haveEqualOwners(next, previous)) return
    for (const obligation of this.#byName.values()) {
      const view = next.schema.tableById(obligation.view)
      if (view === null) this.#discharge(obligation)
      else if (obligation.targets !== null) this.#correctTargets(obligation, view, next)
    }
    for (const target of this.#queues.keys()) if (!next.nodes.has(target)) this.#queues.delete(target)
  }

  #correctTargets(obligation: Obligation, view: TableSchema, snapshot: Snapshot): void {
    const { token, owners } = obligation
    const targets = obligation.targets as Set<number>
    assert(token !== null, "what has targets has a token")
    const { write } = snapshot.placement(view.keyspace, token.high, token.low)
    for (const target of targets) if (!write.includes(target)) targets.delete(target)
    for (const owner of write) {
      if (owners.includes(owner)) continue
      targets.add(owner)
      this.#queue(owner).wait(obligation)
    }
    obligation.owners = write
    if (targets.size === 0) this.#discharge(obligation)
    else this.#pumpSoon()
  }

  #upsert(fields: ObligationKey, selfWritten: boolean): Obligation {
    const name = obligationName(fields.view, fields.viewKey)
    const known = this.#byName.get(name)
    const version = this.#nextVersion()
    if (known !== undefined) {
      this.#byVersion.delete(known.version)
      known.version = version
      known.targets = null
      known.selfWritten = selfWritten
      this.#byVersion.set(version, known)
      return known
    }
    const { base, view, key, clustering, viewKey } = fields
    const obligation: Obligation = {
      name, base, view, key, clustering, viewKey, version, token: null, owners: [], targets: null, selfWritten, arriving: 0, hold: null, onDone: null,
    }
    this.#byName.set(name, obligation)
    this.#byVersion.set(version, obligation)
    return obligation
  }

  /** 32 bits, as messages carry it: after four billion it begins again and passes over those in use. */
  #nextVersion(): number {
    do this.#lastVersion = (this.#lastVersion + 1) >>> 0
    while (this.#byVersion.has(this.#lastVersion))
    return this.#lastVersion
  }

  #takeHold(position: LogPosition): SharedHold {
    let hold = this.#holds.get(position.segment)
    if (hold === undefined) {
      hold = { segment: position.segment, hold: this.#options.store().hold(position), users: 0 }
      this.#holds.set(position.segment, hold)
    }
    hold.users++
    return hold
  }

  #releaseHold(hold: SharedHold): void {
    if (--hold.users > 0) return
    this.#holds.delete(hold.segment)
    hold.hold.release()
  }

  #awaitDurable(): void {
    const arrived = this.#arriving
    const holds = this.#arrivingHolds
    const position = this.#arrivingPosition
    this.#arriving = []
    this.#arrivingHolds = []
    assert(position !== null, "obligations arrived with a position")
    this.#options.store().onDurable(position, () => {
      for (let index = 0; index < arrived.length; index++) this.#durable(arrived[index] as Obligation, holds[index] as SharedHold)
      this.#makeReady(arrived)
    })
  }

  /** A durable record says all that older ones said, the row and the key to be told: only now are they let go. */
  #durable(obligation: Obligation, hold: SharedHold): void {
    obligation.arriving--
    const old = obligation.hold
    const isOpen = this.#byName.get(obligation.name) === obligation
    if (isOpen) obligation.hold = hold
    else this.#releaseHold(hold)
    if (isOpen && old !== null) this.#releaseHold(old)
  }

  #makeReady(obligations: readonly Obligation[]): void {
    for (const obligation of obligations) this.#ready.push(obligation)
    this.#pumpSoon()
  }

  #pumpSoon(): void {
    if (this.#pumping || this.#stopped) return
    this.#pumping = true
    this.#options.clock.atTurnEnd(() => {
      this.#pumping = false
      if (!this.#stopped) this.#pump()
    })
  }

  /** Sends what is ready and what waits for an owner with room, up to a turn's measure; comes back for the rest. */
  #pump(): void {
    let left = MAX_PER_TURN
    const ready = this.#ready
    const count = Math.min(left, ready.length)
    for (let index = 0; index < count; index++) this.#resolve(ready[index] as Obligation)
    this.#ready = ready.slice(count)
    left -= count
    for (const queue of this.#queues.values()) {
      while (left > 0 && this.#canSend(queue)) {
        const obligation = queue.take()
        if (obligation === null) break
        if (this.#isOwed(obligation, queue)) {
          this.#deliver(obligation, [queue])
          left--
        }
      }
    }
    if (left <= 0) this.#pumpSoon()
  }

  #canSend(queue: TargetQueue): boolean {
    return queue.hasRoom && (queue.target === this.#options.self || this.#options.liveness.isAlive(queue.target))
  }

  #isOwed(obligation: Obligation, queue: TargetQueue): boolean {
    // One that has a record that is not durable yet is made ready again when it is.
    if (obligation.arriving > 0 || this.#byName.get(obligation.name) !== obligation) return false
    return obligation.targets !== null && obligation.targets.has(queue.target) && !queue.isInFlight(obligation.version)
  }

  /** Finds the owners now, sends to those that have room, lets it wait for the others. */
  #resolve(obligation: Obligation): void {
    if (obligation.arriving > 0 || this.#byName.get(obligation.name) !== obligation) return
    const { self, current } = this.#options
    const view = current().schema.tableById(obligation.view)
    if (view === null) {
      this.#discharge(obligation)
      return
    }
    if (obligation.targets === null) {
      obligation.token ??= tokenOf(viewPartitionKey(view, obligation.viewKey))
      const { high, low } = obligation.token
      obligation.owners = current().placement(view.keyspace, high, low).write
      obligation.targets = new Set(obligation.owners)
      if (obligation.selfWritten) obligation.targets.delete(self)
    }
    if (obligation.targets.size === 0) {
      this.#discharge(obligation)
      return
    }
    const now: TargetQueue[] = []
    for (const target of obligation.targets) {
      const queue = this.#queue(target)
      if (!queue.isWaiting && this.#canSend(queue) && !queue.isInFlight(obligation.version)) now.push(queue)
      else queue.wait(obligation)
    }
    if (now.length > 0) this.#deliver(obligation, now)
  }

  /** Reads the base row as it is now and sends what it makes of the view key. */
  #deliver(obligation: Obligation, queues: readonly TargetQueue[]): void {
    const { current, store, clock } = this.#options
    const schema = current().schema
    const base = schema.tableById(obligation.base)
    const view = schema.tableById(obligation.view)
    if (base === null || view === null) {
      // The view or its base was dropped.
      this.#discharge(obligation)
      return
    }
    const version = obligation.version
    const nowMs = clock.monotonicMs()
    for (const queue of queues) queue.sent(version, nowMs)
    const row = readRowView(store(), base, obligation.key, obligation.clustering)
    if (!isPromise(row)) {
      this.#send(obligation, version, base, view, row, queues)
      return
    }
    row.then(
      (read) => {
        if (obligation.version === version && this.#byName.get(obligation.name) === obligation && !this.#stopped) this.#send(obligation, version, base, view, read, queues)
      },
      // The row cannot be read now (a disk error): what counts as sent expires, and is tried again.
      () => undefined,
    )
  }

  #send(obligation: Obligation, version: number, base: TableSchema, view: TableSchema, row: RowView | null, queues: readonly TargetQueue[]): void {
    if (row === null) {
      // Nothing is known of the row any more (its table was truncated): there is nothing to tell.
      for (const queue of queues) queue.landed(version)
      this.#discharge(obligation)
      return
    }
    const { self, delivery } = this.#options
    for (const queue of queues) {
      if (queue.target === self) delivery.applyHere(version, base, view, row, obligation.viewKey)
      else delivery.send(queue.target, version, base, view, row, obligation.viewKey)
    }
  }

  #queue(target: number): TargetQueue {
    let queue = this.#queues.get(target)
    if (queue === undefined) this.#queues.set(target, (queue = new TargetQueue(target, WINDOW)))
    return queue
  }

  #discharge(obligation: Obligation): void {
    this.#byName.delete(obligation.name)
    this.#byVersion.delete(obligation.version)
    for (const queue of this.#queues.values()) queue.forget(obligation)
    if (obligation.hold !== null) this.#releaseHold(obligation.hold)
    obligation.hold = null
    obligation.onDone?.()
  }

  /** Entries that were not acknowledged in time, or were refused, wait for their owner again. */
  #sweep(): void {
    const beforeMs = this.#options.clock.monotonicMs() - RESEND_AFTER_MS
    for (const queue of this.#queues.values()) {
      queue.readmit()
      for (const version of queue.expire(beforeMs)) {
        const obligation = this.#byVersion.get(version)
        if (obligation?.targets?.has(queue.target) === true) queue.wait(obligation)
      }
    }
    this.#pumpSoon()
  }
}

/** Every keyspace of both has the same owners everywhere: placements say when they changed last. */
function haveEqualOwners(next: Snapshot, previous: Snapshot): boolean {
  for (const name of next.schema.keyspaces.keys()) if (next.placement(name, 0, 0).since !== previous.placement(name, 0, 0).since) return false
  return true
}
