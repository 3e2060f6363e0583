// The obligations of one base replica that are not discharged yet, and their delivery (views.md, section 4).
//
// 1. `add` takes an obligation from a log record (or from the builder). One per (view, base row, view key): a newer one
//    takes the older one's place, with a version of its own and all targets again.
// 2. At the end of the turn an entry is built from the base row as it is then, once, and added to the batch that is gathered
//    for each owner of the view key. While a sync is waited for nothing is built, so that what changes meanwhile is told once.
// 3. When all is built the batches are sealed. They leave when everything that they were built from is durable: the records of
//    their obligations, and whatever else the rows held. One sync serves all of them.
// 4. An owner answers for a whole batch when it has it on its disk. The answer counts for each obligation that still has the
//    version that was sent. With the last owner's the obligation is gone and its log segment free.
// 5. What is not answered in time, was refused, or could not be sent, is built and sent again; for an owner that is
//    down: when it is up. When ownership changes, new owners are owed everything that is still open.
//
// INVARIANT: an obligation is here, or every owner of its view key acknowledged a state at least as new as the one it
// was made for. INVARIANT: some log segment that is held has a record of every obligation here that has a record, and a durable
// one if one of its records is durable. Order of sending is irrelevant.
//
// Its memory is bounded (overflow.ts). What is owed to nobody but owners that are down stays in the log alone when a quarter of
// MAX_OPEN is taken, until one of them is up; and above MAX_OPEN anything new does. It is read back when half is free.
import type { LocalStore, LogPosition } from "../../data/local-store.ts"
import type { TableId, TableSchema } from "../../data/schema.ts"
import { tokenOf } from "../../data/token.ts"
import type { Token } from "../../data/topology.ts"
import type { Clock, Timer } from "../../runtime/clock.ts"
import { Buffer, assert, isPromise } from "../../runtime/pure.ts"
import { ByteWriter } from "../../data/bytes.ts"
import type { Liveness, Snapshot } from "../cluster/cluster-metadata.ts"
import { EntryBuilder } from "./entry-builder.ts"
import { viewPartitionKey } from "./entry-mutation.ts"
import { type ObligationFields, baseOf, checkObligation, encodeObligation, isSelfWritten, keyEndOf, keyStart, nameOf, tokenHighOf, tokenLowOf, viewOf } from "./obligation.ts"
import { BatchWriters, OutboxBatch } from "./outbox-batch.ts"
import { Overflow } from "./overflow.ts"
import { LogHolds } from "./log-holds.ts"
import type { Obligation } from "./outbox-obligation.ts"
import { TargetQueue } from "./target-queue.ts"

/** How batches reach their owners: see delivery.ts. What cannot be sent now is not answered, and sent again. */
export interface Delivery {
  /** Sends the batch, or applies it when the target is this node. Its bytes are the caller's again afterwards. */
  transmit(batch: OutboxBatch, bytes: Buffer): void
}

const RESEND_AFTER_MS = 2000
/** An answer that comes later than this does not count: receivers refuse what is so old (VIEW_MESSAGE_MAX_AGE_MS). */
const FORGET_AFTER_MS = 90_000
const SWEEP_INTERVAL_MS = 250
/** Listing more than this would hold up requests: it hashes a key for each. */
const MAX_LISTED = 10_000
/** Parked in one turn. */
const MAX_PARKED_PER_TURN = 1000
/** Obligations in memory, 300 to 400 bytes each; a segment that is read back comes on top. */
export const MAX_OPEN = 200_000
/** Entries on the way to one owner: more wait here. Some four batches, so that neither side waits for the other's syncs. */
const WINDOW = 8192
/** Entries built in one turn of the event loop. */
const MAX_PER_TURN = 500
/** Syncs that are waited for at once, when there is more to build than a turn's measure meanwhile. */
const MAX_SYNCS = 4
/** Resolved ones kept in the list before it is copied. */
const MAX_TAKEN = 10_000

export interface OutboxOptions {
  readonly self: number
  readonly store: () => LocalStore
  readonly current: () => Snapshot
  readonly liveness: Liveness
  readonly clock: Clock
  readonly delivery: Delivery
  /** Obligations kept in memory. */
  readonly maxOpen: number
}

type BuiltObligation = Pick<ObligationFields, "base" | "view" | "key" | "clustering" | "viewKey">

export class Outbox {
  readonly #options: OutboxOptions
  readonly #builder: EntryBuilder
  readonly #writers = new BatchWriters()
  readonly #byName = new Map<string, Obligation>()
  #lastVersion = 0
  readonly #holds: LogHolds
  /** Those at [#firstReady, …) are to be resolved. */
  #ready: Obligation[] = []
  #firstReady = 0
  #pumpIsSet = false
  /** Sealed batches that wait for the disk. */
  #sealed: OutboxBatch[] = []
  #syncs = 0
  readonly #queues = new Map<number, TargetQueue>()
  readonly #overflow: Overflow
  readonly #maxOpen: number
  #timer: Timer | null = null
  #stopped = false

  constructor(options: OutboxOptions) {
    this.#options = options
    this.#maxOpen = options.maxOpen
    this.#overflow = new Overflow(options.store)
    this.#builder = new EntryBuilder(options.store)
    this.#holds = new LogHolds(options.store, options.clock)
  }

  /** Obligations not discharged; of those that are in the log alone, how often they were passed over. */
  get size(): number {
    return this.#byName.size + this.#overflow.size
  }

  /** Of these, how many are in memory. */
  get kept(): number {
    return this.#byName.size
  }

  /** Obligations in memory by view; for people, since it looks at each. */
  keptByView(): Map<TableId, number> {
    const counts = new Map<TableId, number>()
    for (const { bytes } of this.#byName.values()) counts.set(viewOf(bytes), (counts.get(viewOf(bytes)) ?? 0) + 1)
    return counts
  }

  /** Tokens of the base table's partitions with rows about which something is owed (F2); "all" when they are not known, or too many to list. */
  owedOf(base: TableId): readonly Token[] | "all" {
    if (this.#overflow.size > 0 || this.#byName.size > MAX_LISTED) return "all"
    const tokens: Token[] = []
    for (const { bytes } of this.#byName.values()) if (baseOf(bytes) === base) tokens.push(tokenOf(bytes.subarray(keyStart, keyEndOf(bytes))))
    return tokens
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

  /** An obligation of a log record; `bytes` is kept. Throws CorruptionError. */
  add(bytes: Uint8Array, position: LogPosition): void {
    const own = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    checkObligation(own)
    const name = nameOf(own)
    // One that is known takes no more room.
    if (this.#byName.size >= this.#maxOpen && !this.#byName.has(name)) this.#overflow.pass(position.segment)
    else this.#holds.keep(this.#upsert(name, own), position)
  }

  /** All obligations of a log segment are owed, but are not read yet. REQUIRES: the segment is there. */
  addSegment(segment: number): void {
    this.#overflow.pass(segment)
  }

  /** One of a segment that is read again. A newer record of it, if there is one, says all that this says. */
  #addAgain(bytes: Uint8Array, position: LogPosition): void {
    const own = bytes as Buffer
    checkObligation(own)
    const name = nameOf(own)
    if (!this.#byName.has(name)) this.#holds.keep(this.#upsert(name, own), position)
  }

  #makeUseOfRoom(): void {
    if (this.#overflow.size === 0 || this.#stopped || this.#byName.size > this.#maxOpen / 2) return
    const { liveness } = this.#options
    this.#overflow.readNext((node) => liveness.isAlive(node), (bytes, position) => this.#addAgain(bytes, position), () => this.#makeUseOfRoom())
  }

  /** Lets go of what waits for nobody but owners that are down, as far as it takes more than its share of the room. */
  #park(): void {
    let left = MAX_PARKED_PER_TURN
    for (const queue of this.#queues.values()) {
      if (this.#isUp(queue.target)) continue
      for (let tries = queue.length; tries > 0 && left > 0 && this.#byName.size > this.#maxOpen / 4; tries--, left--) {
        const obligation = queue.take()
        if (obligation === null) break
        if (!this.#isOwed(obligation, queue)) continue
        const { hold, missing } = obligation
        // What a builder waits for stays: it is not in the log, or the builder would not hear of its end.
        if (hold === null || obligation.onDone !== null || missing === null || missing.some((target) => this.#isUp(target))) queue.wait(obligation)
        else {
          this.#overflow.park(hold.segment, missing)
          this.#remove(obligation)
        }
      }
    }
  }

  /** An obligation of the view builder: in memory only, since an unfinished build starts again. `onDone` when it is discharged. */
  addBuilt(fields: BuiltObligation, onDone: () => void): void {
    const view = this.#options.current().schema.tableById(fields.view)
    if (view === null) {
      onDone()
      return
    }
    const out = new ByteWriter(128)
    encodeObligation({ ...fields, selfWritten: false, incarnation: 0, counter: 0, token: tokenOf(viewPartitionKey(view, fields.viewKey)) }, out)
    const bytes = out.take()
    const obligation = this.#upsert(nameOf(bytes), bytes)
    const before = obligation.onDone
    obligation.onDone = before === null ? onDone : () => { before(); onDone() }
  }

  /** `target` has answered a batch: it has made all of it durable but the entries at `refused`, which it wants built again. */
  answered(target: number, number: number, refused: readonly number[]): void {
    const queue = this.#queues.get(target)
    const batch = queue?.answered(number) ?? null
    if (queue === undefined || batch === null) return
    const { obligations, versions } = batch
    for (let index = 0; index < obligations.length; index++) {
      const obligation = obligations[index] as Obligation
      if (obligation.version !== versions[index]) continue
      if (refused.length > 0 && refused.includes(index)) queue.waitLonger(obligation)
      else this.#acknowledged(obligation, target)
    }
    if (queue.isWaiting) this.#pumpSoon()
  }

  #acknowledged(obligation: Obligation, target: number): void {
    const { missing } = obligation
    const at = missing === null ? -1 : missing.indexOf(target)
    if (missing === null || at < 0) return
    missing.splice(at, 1)
    if (missing.length === 0) this.#discharge(obligation)
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
      const view = next.schema.tableById(viewOf(obligation.bytes))
      if (view === null) this.#discharge(obligation)
      else if (obligation.missing !== null) this.#correctTargets(obligation, obligation.missing, view, next)
    }
    for (const target of this.#queues.keys()) if (!next.nodes.has(target)) this.#queues.delete(target)
    this.#overflow.ownersChanged()
  }

  #correctTargets(obligation: Obligation, missing: number[], view: TableSchema, snapshot: Snapshot): void {
    const { write } = snapshot.placement(view.keyspace, tokenHighOf(obligation.bytes), tokenLowOf(obligation.bytes))
    const corrected = missing.filter((target) => write.includes(target))
    for (const owner of write) {
      if (obligation.owners.includes(owner)) continue
      corrected.push(owner)
      this.#queue(owner).wait(obligation)
    }
    obligation.owners = write
    obligation.missing = corrected
    if (corrected.length === 0) this.#discharge(obligation)
    else this.#pumpSoon()
  }

  #upsert(name: string, bytes: Buffer): Obligation {
    let obligation = this.#byName.get(name)
    if (obligation === undefined) {
      obligation = { name, bytes, version: ++this.#lastVersion, owners: [], missing: null, isReady: false, waitsFor: [], hold: null, onDone: null }
      this.#byName.set(name, obligation)
    } else {
      obligation.bytes = bytes
      obligation.version = ++this.#lastVersion
      obligation.missing = null
    }
    if (!obligation.isReady) {
      obligation.isReady = true
      this.#ready.push(obligation)
      this.#pumpSoon()
    }
    return obligation
  }

  #pumpSoon(): void {
    if (this.#pumpIsSet || this.#stopped || !this.#mayBuild) return
    this.#pumpIsSet = true
    this.#options.clock.atTurnEnd(() => {
      this.#pumpIsSet = false
      if (!this.#stopped) this.#pump()
    })
  }

  /** What changes while a sync is waited for is better told afterwards, once; but not when that would hold up much. */
  get #mayBuild(): boolean {
    return this.#syncs === 0 || (this.#syncs < MAX_SYNCS && this.#ready.length - this.#firstReady >= MAX_PER_TURN)
  }

  /** Builds what is ready and what waits for an owner with room, up to a turn's measure; comes back for the rest, then seals. */
  #pump(): void {
    this.#builder.newRound()
    let left = MAX_PER_TURN
    const ready = this.#ready
    while (left > 0 && this.#firstReady < ready.length) {
      this.#resolve(ready[this.#firstReady++] as Obligation)
      left--
    }
    if (this.#firstReady === ready.length || this.#firstReady > MAX_TAKEN) {
      this.#ready = ready.slice(this.#firstReady)
      this.#firstReady = 0
    }
    for (const queue of this.#queues.values()) {
      while (left > 0 && this.#canSend(queue)) {
        const obligation = queue.take()
        if (obligation === null) break
        if (!this.#isOwed(obligation, queue)) continue
        this.#build(obligation, [queue])
        left--
      }
    }
    if (this.#byName.size > this.#maxOpen / 4) this.#park()
    if (left <= 0 && this.#sealed.length === 0) this.#pumpSoon()
    else this.#seal()
  }

  #canSend(queue: TargetQueue): boolean {
    return queue.hasRoom && this.#isUp(queue.target)
  }

  #isUp(target: number): boolean {
    return target === this.#options.self || this.#options.liveness.isAlive(target)
  }

  #isOwed(obligation: Obligation, queue: TargetQueue): boolean {
    // One with a newer record is among the ready, or discharged.
    return obligation.version !== 0 && obligation.missing !== null && obligation.missing.includes(queue.target)
  }

  /** Finds the owners now, sends to those that have room, lets it wait for the others. */
  #resolve(obligation: Obligation): void {
    obligation.isReady = false
    if (obligation.version === 0) return
    const { self, current } = this.#options
    const { bytes } = obligation
    const view = current().schema.tableById(viewOf(bytes))
    if (view === null) {
      this.#discharge(obligation)
      return
    }
    const owners = current().placement(view.keyspace, tokenHighOf(bytes), tokenLowOf(bytes)).write
    const missing: number[] = []
    const now: TargetQueue[] = []
    for (const target of owners) {
      if (target === self && isSelfWritten(bytes)) continue
      missing.push(target)
      const queue = this.#queue(target)
      if (!queue.isWaiting && this.#canSend(queue)) now.push(queue)
      else queue.wait(obligation)
    }
    obligation.owners = owners
    obligation.missing = missing
    if (missing.length === 0) this.#discharge(obligation)
    else if (now.length > 0) this.#build(obligation, now)
  }

  /** Reads the base row as it is now and adds what it makes of the view key to the batches. */
  #build(obligation: Obligation, queues: readonly TargetQueue[]): void {
    const { schema } = this.#options.current()
    const base = schema.tableById(baseOf(obligation.bytes))
    const view = schema.tableById(viewOf(obligation.bytes))
    if (base === null || view === null) {
      // The view or its base was dropped.
      this.#discharge(obligation)
      return
    }
    const { version } = obligation
    const entry = this.#builder.build(obligation.bytes, base, view)
    if (!isPromise(entry)) {
      this.#gather(obligation, entry, queues)
      return
    }
    entry.then(
      (built) => {
        if (obligation.version !== version || this.#stopped) return
        this.#gather(obligation, built, queues)
        this.#pumpSoon()
      },
      // The row cannot be read now (a disk error): it is tried again.
      () => {
        if (obligation.version === version) for (const queue of queues) queue.waitLonger(obligation)
      },
    )
  }

  #gather(obligation: Obligation, entry: Buffer | null, queues: readonly TargetQueue[]): void {
    if (entry === null) {
      // Nothing is known of the row any more (its table was truncated): there is nothing to tell.
      this.#discharge(obligation)
      return
    }
    for (const queue of queues) {
      const batch = (queue.gathering ??= this.#newBatch(queue))
      batch.add(obligation, entry)
      queue.added()
      if (batch.isFull) this.#sealBatch(queue, batch)
    }
  }

  #newBatch(queue: TargetQueue): OutboxBatch {
    const { clock, current } = this.#options
    return new OutboxBatch(queue.target, queue.nextNumber(), clock.nowMicros(), current().epoch, this.#writers.take())
  }

  #sealBatch(queue: TargetQueue, batch: OutboxBatch): void {
    queue.gathering = null
    queue.sealed(batch, this.#options.clock.monotonicMs())
    this.#sealed.push(batch)
  }

  /** Sends what is built once all that it was built from is durable. */
  #seal(): void {
    for (const queue of this.#queues.values()) if (queue.gathering !== null) this.#sealBatch(queue, queue.gathering)
    const batches = this.#sealed
    if (batches.length === 0) return
    this.#sealed = []
    this.#syncs++
    const store = this.#options.store()
    store.onDurable(store.lastPosition(), () => {
      this.#syncs--
      for (const batch of batches) this.#transmit(batch)
      this.#pumpSoon()
    })
  }

  #transmit(batch: OutboxBatch): void {
    const writer = batch.bytes
    assert(writer !== null, "a batch is sent once")
    batch.bytes = null
    if (!this.#stopped) this.#options.delivery.transmit(batch, writer.view())
    this.#writers.giveBack(writer)
  }

  #queue(target: number): TargetQueue {
    let queue = this.#queues.get(target)
    if (queue === undefined) this.#queues.set(target, (queue = new TargetQueue(target, WINDOW)))
    return queue
  }

  #discharge(obligation: Obligation): void {
    this.#remove(obligation)
    obligation.onDone?.()
  }

  #remove(obligation: Obligation): void {
    this.#byName.delete(obligation.name)
    obligation.version = 0
    for (const target of obligation.waitsFor) this.#queues.get(target)?.gone()
    this.#holds.letGo(obligation)
  }

  /** Entries that were not answered in time, or were refused, wait for their owner again. */
  #sweep(): void {
    this.#makeUseOfRoom()
    const nowMs = this.#options.clock.monotonicMs()
    for (const queue of this.#queues.values()) {
      queue.readmit()
      for (const { obligations, versions, target } of queue.expire(nowMs - RESEND_AFTER_MS, nowMs - FORGET_AFTER_MS)) {
        for (let index = 0; index < obligations.length; index++) {
          const obligation = obligations[index] as Obligation
          if (obligation.version === versions[index] && obligation.missing?.includes(target) === true) queue.wait(obligation)
        }
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
