// The obligations of one base replica that are not discharged yet, and their delivery (views.md, section 4).
//
// 1. `add` takes an obligation from a log record (or from the builder). One per (view, base row, view key): a newer one
//    takes the older one's place, with a version of its own and all targets again.
// 2. Once the record is durable the obligation is ready: the base row is read as it is now, and for every owner of the
//    view key an entry built from it goes into the owner's next message.
// 3. An owner acknowledges a version when its own record is durable. The acknowledgement counts only while the
//    obligation still has that version. With the last owner's the obligation is gone and its log segment free.
// 4. What is not acknowledged in time, was refused, or could not be sent, is built and sent again; for an owner that is
//    down: when it is up.
//
// INVARIANT: an obligation is here, or every owner of its view key acknowledged a state at least as new as the one it
// was made for. Order of sending is irrelevant. What it does not do: bound its memory by collapsing to dirty ranges.
import type { LocalStore, LogPosition, RowView, SegmentHold } from "../../data/local-store.ts"
import type { TableSchema } from "../../data/schema.ts"
import { tokenOf } from "../../data/token.ts"
import type { Clock, Timer } from "../../runtime/clock.ts"
import { assert, isPromise } from "../../runtime/pure.ts"
import type { Liveness, Snapshot } from "../cluster-metadata.ts"
import { viewPartitionKey } from "./entry-mutation.ts"
import { type ObligationRecord, decodeObligation, obligationName } from "./obligation.ts"
import { readRowView } from "./read-row.ts"

/** How entries reach their owners: see delivery.ts. */
export interface Delivery {
  /** Adds the entry to the target's next message. False: nothing can be sent to it now. */
  send(target: number, version: number, base: TableSchema, view: TableSchema, row: RowView, viewKey: readonly Buffer[]): boolean
  /** Applies the entry here; `done` once it is durable. */
  applyHere(base: TableSchema, view: TableSchema, row: RowView, viewKey: readonly Buffer[], done: () => void): void
}

interface Obligation {
  readonly name: string
  readonly base: number
  readonly view: number
  readonly key: Buffer
  readonly clustering: Buffer
  readonly viewKey: readonly Buffer[]
  /** Unique within this start of the node: what acknowledgements name. */
  version: number
  /** Owners that have not acknowledged `version`; null: not resolved yet. */
  targets: Set<number> | null
  selfWritten: boolean
  /** Records of it that are not durable yet: nothing is sent while there are any. */
  arriving: number
  hold: Hold | null
  onDone: (() => void) | null
}

/** One log segment's hold, shared by the obligations in it. */
interface Hold {
  readonly segment: number
  readonly hold: SegmentHold
  users: number
}

const RESEND_AFTER_MS = 2000
const SWEEP_INTERVAL_MS = 250
/** Entries on the way to one node: more wait here. */
const MAX_IN_FLIGHT = 4096

export interface OutboxOptions {
  readonly self: number
  readonly store: () => LocalStore
  readonly current: () => Snapshot
  readonly liveness: Liveness
  readonly clock: Clock
  readonly delivery: Delivery
}

export class Outbox {
  readonly #options: OutboxOptions
  readonly #byName = new Map<string, Obligation>()
  readonly #byVersion = new Map<number, Obligation>()
  #lastVersion = 0
  readonly #holds = new Map<number, Hold>()
  /** Added in this turn: they wait for one sync together. */
  #arriving: Obligation[] = []
  #arrivingPosition: LogPosition | null = null
  #ready: Obligation[] = []
  #draining = false
  /** By target: version to the time it was sent. */
  readonly #inFlight = new Map<number, Map<number, number>>()
  /** By target: what could not be sent to it. */
  readonly #waiting = new Map<number, Set<Obligation>>()
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
    this.#takeHold(obligation, position)
    if (this.#arriving.length === 0) this.#options.clock.atTurnEnd(() => this.#awaitDurable())
    this.#arriving.push(obligation)
    obligation.arriving++
    this.#arrivingPosition = position
  }

  /** An obligation of the view builder: in memory only, since an unfinished build starts again. `onDone` when it is discharged. */
  addBuilt(fields: Pick<ObligationRecord, "base" | "view" | "key" | "clustering" | "viewKey">, onDone: () => void): void {
    const obligation = this.#upsert(fields, false)
    const before = obligation.onDone
    obligation.onDone = before === null ? onDone : () => { before(); onDone() }
    this.#makeReady([obligation])
  }

  /** `target` has made the entry of `version` durable. */
  acknowledged(target: number, version: number): void {
    this.#inFlight.get(target)?.delete(version)
    const obligation = this.#byVersion.get(version)
    if (obligation === undefined || obligation.targets === null) return
    obligation.targets.delete(target)
    if (obligation.targets.size === 0) this.#discharge(obligation)
  }

  /** `target` refused the entry: it is built again. */
  refused(target: number, version: number): void {
    this.#inFlight.get(target)?.delete(version)
    const obligation = this.#byVersion.get(version)
    if (obligation === undefined) return
    this.#wait(target, obligation)
  }

  /** A target is up (again). */
  nodeUp(target: number): void {
    const waiting = this.#waiting.get(target)
    if (waiting === undefined) return
    this.#waiting.delete(target)
    this.#makeReady([...waiting])
  }

  #upsert(fields: Pick<ObligationRecord, "base" | "view" | "key" | "clustering" | "viewKey">, selfWritten: boolean): Obligation {
    const name = obligationName(fields.view, fields.key, fields.clustering, fields.viewKey)
    const known = this.#byName.get(name)
    const version = ++this.#lastVersion
    if (known !== undefined) {
      this.#byVersion.delete(known.version)
      known.version = version
      known.targets = null
      known.selfWritten = selfWritten
      this.#byVersion.set(version, known)
      return known
    }
    const { base, view, key, clustering, viewKey } = fields
    const obligation: Obligation = { name, base, view, key, clustering, viewKey, version, targets: null, selfWritten, arriving: 0, hold: null, onDone: null }
    this.#byName.set(name, obligation)
    this.#byVersion.set(version, obligation)
    return obligation
  }

  /** Holds the segment of the newest record, which says everything that the older ones said: the row and the key to be told. */
  #takeHold(obligation: Obligation, position: LogPosition): void {
    const old = obligation.hold
    if (old !== null && old.segment === position.segment) return
    let hold = this.#holds.get(position.segment)
    if (hold === undefined) {
      hold = { segment: position.segment, hold: this.#options.store().hold(position), users: 0 }
      this.#holds.set(position.segment, hold)
    }
    hold.users++
    obligation.hold = hold
    if (old !== null) this.#releaseHold(old)
  }

  #releaseHold(hold: Hold): void {
    if (--hold.users > 0) return
    this.#holds.delete(hold.segment)
    hold.hold.release()
  }

  #awaitDurable(): void {
    const arrived = this.#arriving
    const position = this.#arrivingPosition
    this.#arriving = []
    assert(position !== null, "obligations arrived with a position")
    this.#options.store().onDurable(position, () => {
      for (const obligation of arrived) obligation.arriving--
      this.#makeReady(arrived)
    })
  }

  #makeReady(obligations: readonly Obligation[]): void {
    for (const obligation of obligations) this.#ready.push(obligation)
    if (this.#draining || this.#stopped) return
    this.#draining = true
    this.#options.clock.atTurnEnd(() => {
      this.#draining = false
      this.#drain()
    })
  }

  #drain(): void {
    const ready = this.#ready
    this.#ready = []
    for (const obligation of ready) {
      // One that has a record that is not durable yet is made ready again when it is.
      if (obligation.arriving === 0 && this.#byName.get(obligation.name) === obligation) this.#deliver(obligation)
    }
  }

  #deliver(obligation: Obligation): void {
    const { current, store } = this.#options
    const schema = current().schema
    const base = schema.tableById(obligation.base)
    const view = schema.tableById(obligation.view)
    if (base === null || view === null) {
      // The view or its base was dropped.
      this.#discharge(obligation)
      return
    }
    const version = obligation.version
    const row = readRowView(store(), base, obligation.key, obligation.clustering)
    if (!isPromise(row)) {
      this.#send(obligation, base, view, row)
      return
    }
    row.then(
      (read) => {
        if (obligation.version === version && this.#byName.get(obligation.name) === obligation && !this.#stopped) this.#send(obligation, base, view, read)
      },
      // The row cannot be read now (a disk error): the sweep asks again.
      () => this.#wait(this.#options.self, obligation),
    )
  }

  #send(obligation: Obligation, base: TableSchema, view: TableSchema, row: RowView | null): void {
    if (row === null) {
      // Nothing is known of the row any more: there is nothing to tell.
      this.#discharge(obligation)
      return
    }
    const { self, current, delivery } = this.#options
    if (obligation.targets === null) {
      const token = tokenOf(viewPartitionKey(view, obligation.viewKey))
      obligation.targets = new Set(current().placement(view.keyspace, token.high, token.low).write)
      if (obligation.selfWritten) obligation.targets.delete(self)
      if (obligation.targets.size === 0) {
        this.#discharge(obligation)
        return
      }
    }
    const version = obligation.version
    for (const target of obligation.targets) {
      if (target === self) {
        delivery.applyHere(base, view, row, obligation.viewKey, () => this.acknowledged(self, version))
      } else if (!this.#sendTo(target, obligation, base, view, row)) {
        this.#wait(target, obligation)
      }
    }
  }

  #sendTo(target: number, obligation: Obligation, base: TableSchema, view: TableSchema, row: RowView): boolean {
    const { liveness, delivery, clock } = this.#options
    let inFlight = this.#inFlight.get(target)
    if (inFlight === undefined) this.#inFlight.set(target, (inFlight = new Map()))
    if (inFlight.has(obligation.version)) return true
    if (inFlight.size >= MAX_IN_FLIGHT || !liveness.isAlive(target)) return false
    if (!delivery.send(target, obligation.version, base, view, row, obligation.viewKey)) return false
    inFlight.set(obligation.version, clock.monotonicMs())
    return true
  }

  #wait(target: number, obligation: Obligation): void {
    let waiting = this.#waiting.get(target)
    if (waiting === undefined) this.#waiting.set(target, (waiting = new Set()))
    waiting.add(obligation)
  }

  #discharge(obligation: Obligation): void {
    this.#byName.delete(obligation.name)
    this.#byVersion.delete(obligation.version)
    for (const waiting of this.#waiting.values()) waiting.delete(obligation)
    if (obligation.hold !== null) this.#releaseHold(obligation.hold)
    obligation.hold = null
    obligation.onDone?.()
  }

  /** Entries that were not acknowledged in time wait for their target again; whoever waits for a target that is up is sent. */
  #sweep(): void {
    const { clock, liveness, self } = this.#options
    const nowMs = clock.monotonicMs()
    for (const [target, inFlight] of this.#inFlight) {
      for (const [version, sentMs] of inFlight) {
        // Sent in order of time: the rest is younger.
        if (nowMs - sentMs < RESEND_AFTER_MS) break
        inFlight.delete(version)
        const obligation = this.#byVersion.get(version)
        if (obligation?.targets?.has(target) === true) this.#wait(target, obligation)
      }
    }
    this.#retarget()
    for (const target of [...this.#waiting.keys()]) {
      if (target === self || liveness.isAlive(target)) this.nodeUp(target)
    }
  }

  /** Ownership may have changed: what waits for a node that owns nothing any more is resolved again. */
  #retarget(): void {
    const nodes = this.#options.current().nodes
    for (const [target, waiting] of this.#waiting) {
      if (nodes.has(target) || target === this.#options.self) continue
      for (const obligation of waiting) obligation.targets = null
      this.#waiting.delete(target)
      this.#makeReady([...waiting])
    }
  }
}
