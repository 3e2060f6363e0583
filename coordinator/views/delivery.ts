// View messages between base replicas and view replicas. Big-endian, in the envelope of coordinator/messages.ts.
//
// VERB.view: a batch of the outbox
//   offset  field
//   0       u8   version        2
//   1       u8   reserved       0
//   2       u16  entries
//   4       u32  incarnation    of the sender: a start of the node is not answered what an earlier one asked
//   8       u32  epoch          of the sender's metadata when the first entry was built: what no entry is older than
//   12      i64  builtAt        of the first entry, microseconds on the sender's clock
//   20      u32  batch          the sender's number for it; answered as it is
//   24      mutations           mutation.ts, × entries: one row of a view each
//
// VERB.viewAck: the answer to one batch
//   0       u8   version        2
//   1       u8   reserved       0
//   2       u16  refused        how many
//   4       u32  incarnation    of the message that is answered
//   8       u32  batch
//   12      u16  index          × refused: entries to be built again; all others are durable here
//
// A batch leaves when everything that its entries were built from is durable: a view must not hear of a write that
// a loss of power takes back. That is the outbox's business.
//
// A receiver refuses what is older than VIEW_MESSAGE_MAX_AGE_MS (F1), what was built before it learnt of the last truncation, and what
// was sent under an older ownership of the range (views.md, section 8). A view it knows was dropped is acknowledged. What its
// store cannot take is refused, too.
// Versions: 1 answered entries one by one (never released); 2 this one. What is bad about it: one slow entry holds up the answer
// for the batch.
import { ByteReader, CorruptionError, readUint32 } from "../../data/bytes.ts"
import type { LocalStore, LogPosition } from "../../data/local-store.ts"
import { mutationTokenHigh, mutationTokenLow } from "../../data/mutation.ts"
import { highOf, lowOf, toNumber } from "../../data/timestamp.ts"
import { VIEW_MESSAGE_MAX_AGE_MS } from "../../data/view-message-age.ts"
import type { Clock } from "../../runtime/clock.ts"
import { LANE } from "../../runtime/network.ts"
import { AssertionError, Buffer, type Maybe, isPromise } from "../../runtime/pure.ts"
import type { ClusterMetadata, Snapshot } from "../cluster/cluster-metadata.ts"
import { type Message, type MessageRouter, VERB } from "../messages.ts"
import type { Delivery } from "./outbox.ts"
import type { OutboxBatch } from "./outbox-batch.ts"

const VERSION = 2
const METADATA_WAIT_MS = 5000
/** Where a mutation's first update stands behind its key, and the key's size: mutation.ts. */
const KEY_SIZE_AT = 16
const KEY_AT = 18
const NOTHING_REFUSED: readonly number[] = []

export interface ViewMessengerOptions {
  /** Of this start of the node. */
  readonly incarnation: number
  readonly router: MessageRouter
  readonly store: () => LocalStore
  readonly metadata: ClusterMetadata
  readonly clock: Clock
  /** As Outbox.answered. */
  readonly answered: (target: number, batch: number, refused: readonly number[]) => void
  readonly log: (line: string) => void
}

export class ViewMessenger implements Delivery {
  readonly #options: ViewMessengerOptions

  constructor(options: ViewMessengerOptions) {
    this.#options = options
    options.router.handle(VERB.view, (message) => this.#receive(message))
    options.router.handle(VERB.viewAck, (message) => this.#receiveAnswer(message))
  }

  /** What the network does not take is not answered, and sent again. */
  transmit(batch: OutboxBatch, bytes: Buffer): void {
    const { router, incarnation, answered } = this.#options
    if (batch.target === router.self) {
      // The sync took its time: this node may know more than when the entries were built.
      this.#applyAll(bytes, 0, batch.entries, this.#acceptance(batch.epoch, batch.builtAtMicros), (refused) => answered(router.self, batch.number, refused))
      return
    }
    const out = router.begin(VERB.view, 0, 0)
    out.uint8(VERSION)
    out.uint8(0)
    out.uint16(batch.entries)
    out.uint32(incarnation)
    out.uint32(batch.epoch)
    out.timestamp(highOf(batch.builtAtMicros), lowOf(batch.builtAtMicros))
    out.uint32(batch.number)
    out.copy(bytes, 0, bytes.length)
    router.send(batch.target, LANE.data)
  }

  #receive(message: Message): void {
    const { metadata, clock } = this.#options
    const { from } = message
    const known = metadata.waitFor(message.epoch, clock.monotonicMs() + METADATA_WAIT_MS)
    if (known === undefined) {
      this.#take(from, message.bytes, message.at)
      return
    }
    const copy = Buffer.from(message.bytes.subarray(message.at))
    // Without the metadata nothing can be said: no answer, and the sender asks again.
    ;(known as Promise<void>).then(() => this.#take(from, copy, 0), () => undefined)
  }

  #take(from: number, bytes: Buffer, at: number): void {
    const reader = new ByteReader(bytes, at)
    if (reader.uint8("view message version") !== VERSION) throw new CorruptionError(`expected view message version ${VERSION}`, at)
    reader.uint8("reserved")
    const entries = reader.uint16("entries")
    const incarnation = reader.uint32("incarnation")
    const epoch = reader.uint32("epoch")
    const builtAtMicros = toNumber(reader.int32("builtAt"), reader.uint32("builtAt"))
    const batch = reader.uint32("batch")
    this.#applyAll(bytes, reader.at, entries, this.#acceptance(epoch, builtAtMicros), (refused) => this.#answer(from, incarnation, batch, refused))
  }

  /** Which entries of a batch are taken. */
  #acceptance(epoch: number, builtAtMicros: number): (mutation: Buffer) => boolean {
    const { clock, metadata } = this.#options
    if (clock.nowMicros() - builtAtMicros > VIEW_MESSAGE_MAX_AGE_MS * 1000) return () => false
    const snapshot = metadata.current()
    // Nothing is newer than the epoch that both know.
    return epoch === snapshot.epoch ? () => true : (mutation) => wasBuiltKnowing(mutation, epoch, snapshot)
  }

  /** Applies `entries` mutations from `at` on, and tells when those that were taken are durable. */
  #applyAll(bytes: Buffer, at: number, entries: number, accepts: (mutation: Buffer) => boolean, done: (refused: readonly number[]) => void): void {
    const store = this.#options.store()
    const { schema } = this.#options.metadata.current()
    const arrival = new Arrival(store, done)
    let from = at
    for (let index = 0; index < entries; index++) {
      const end = from + 4 <= bytes.length ? from + readUint32(bytes, from) : bytes.length + 1
      if (end > bytes.length || end < from + KEY_AT + 4) throw new CorruptionError(`expected ${entries} view entries, found ${index}`, from)
      const mutation = bytes.subarray(from, end)
      from = end
      if (!accepts(mutation)) arrival.refused(index)
      // A view that is dropped has nothing to take; the entry counts as delivered.
      else if (schema.tableById(viewIdOf(mutation)) !== null) this.#apply(store, mutation, index, arrival)
    }
    arrival.end()
  }

  #apply(store: LocalStore, mutation: Buffer, index: number, arrival: Arrival): void {
    let applied: Maybe<LogPosition>
    try {
      applied = store.apply(mutation, "view", null)
    } catch (error) {
      this.#failed(error)
      arrival.refused(index)
      return
    }
    if (!isPromise(applied)) arrival.applied(applied)
    else {
      arrival.later(applied, index, (error) => this.#failed(error))
    }
  }

  /** The store could not take an entry (its log has failed): it is refused, so that it is asked again. A bug is not hidden. */
  #failed(error: unknown): void {
    if (error instanceof AssertionError || error instanceof TypeError || error instanceof RangeError) throw error
    this.#options.log(`View entry not applied: ${String(error)}`)
  }

  #answer(to: number, incarnation: number, batch: number, refused: readonly number[]): void {
    const out = this.#options.router.begin(VERB.viewAck, 0, 0)
    out.uint8(VERSION)
    out.uint8(0)
    out.uint16(refused.length)
    out.uint32(incarnation)
    out.uint32(batch)
    for (const index of refused) out.uint16(index)
    this.#options.router.send(to, LANE.data)
  }

  #receiveAnswer(message: Message): void {
    const reader = new ByteReader(message.bytes, message.at)
    if (reader.uint8("view ack version") !== VERSION) throw new CorruptionError(`expected view ack version ${VERSION}`, message.at)
    reader.uint8("reserved")
    const count = reader.uint16("refused")
    // To an earlier start of this node: its numbers name other batches now.
    if (reader.uint32("incarnation") !== this.#options.incarnation) return
    const batch = reader.uint32("batch")
    const refused: number[] = []
    for (let left = count; left > 0; left--) refused.push(reader.uint16("index"))
    this.#options.answered(message.from, batch, refused)
  }
}

/** REQUIRES: the mutation has one update. */
function viewIdOf(mutation: Buffer): number {
  return mutation.readUInt32BE(KEY_AT + mutation.readUInt16BE(KEY_SIZE_AT))
}

/** True when the entry was built knowing who owns its range and what was truncated. */
function wasBuiltKnowing(mutation: Buffer, epoch: number, snapshot: Snapshot): boolean {
  const view = snapshot.schema.tableById(viewIdOf(mutation))
  if (view === null) return true
  if (epoch < view.descriptor.truncationEpoch) return false
  return epoch >= snapshot.placement(view.keyspace, mutationTokenHigh(mutation), mutationTokenLow(mutation)).since
}

/** The entries of one batch: answered together when the last of those taken is durable. */
class Arrival {
  readonly #store: LocalStore
  readonly #done: (refused: readonly number[]) => void
  #refused: number[] | null = null
  #last: LogPosition | null = null
  #waiting = 0
  #isEnded = false

  constructor(store: LocalStore, done: (refused: readonly number[]) => void) {
    this.#store = store
    this.#done = done
  }

  refused(index: number): void {
    ;(this.#refused ??= []).push(index)
  }

  applied(position: LogPosition): void {
    const last = this.#last
    if (last === null || position.segment > last.segment || (position.segment === last.segment && position.offset > last.offset)) this.#last = position
  }

  later(applied: Promise<LogPosition>, index: number, failed: (error: unknown) => void): void {
    this.#waiting++
    const settled = (): void => {
      this.#waiting--
      this.#finish()
    }
    applied
      .then((position) => this.applied(position), (error: unknown) => {
        failed(error)
        this.refused(index)
      })
      .then(settled)
  }

  end(): void {
    this.#isEnded = true
    this.#finish()
  }

  #finish(): void {
    if (!this.#isEnded || this.#waiting > 0) return
    const refused = this.#refused ?? NOTHING_REFUSED
    if (this.#last === null) this.#done(refused)
    else this.#store.onDurable(this.#last, () => this.#done(refused))
  }
}
