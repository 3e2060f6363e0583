// View messages between base replicas and view replicas. Big-endian, in the envelope of coordinator/messages.ts.
//
// VERB.view:
//   offset  field
//   0       u8   version        1
//   1       u8   reserved       0
//   2       u16  entries
//   4       u32  incarnation    of the sender: a start of the node is not answered what an earlier one asked
//   8       u32  epoch          of the sender's metadata when the first entry was built: what no entry is older than
//   12      i64  builtAt        of the first entry, microseconds on the sender's clock
//   then, × entries:
//           u32  version        the sender's name for the obligation's state; acknowledged as it is
//           u32  view           table id
//           u32  size
//           mutation            mutation.ts: one row of the view
//
// VERB.viewAck:
//   0       u8   version        1
//   1       u8   reserved       0
//   2       u16  entries
//   4       u32  incarnation    of the message that is answered
//   then, × entries: u32 version, u8 accepted (1 durable here, 0 refused: build it again)
//
// A message leaves when everything that its entries were built from is durable here: a view must not hear of a write that
// a loss of power takes back. One log sync serves all messages of a turn.
//
// A receiver refuses what is older than VIEW_MESSAGE_MAX_AGE_MS (F1), what was built before it learnt of the last truncation, and what
// was sent under an older ownership of the range (views.md, section 8). A view it knows was dropped is acknowledged.
// Versions: 1 this one. What is bad about it: an entry names its view twice, outside and inside its mutation.
import { ByteReader, ByteWriter, CorruptionError } from "../../data/bytes.ts"
import type { LocalStore, LogPosition, RowView } from "../../data/local-store.ts"
import { MutationWriter, mutationTokenHigh, mutationTokenLow } from "../../data/mutation.ts"
import type { TableSchema } from "../../data/schema.ts"
import { highOf, lowOf, toNumber } from "../../data/timestamp.ts"
import { VIEW_MESSAGE_MAX_AGE_MS } from "../../data/view-message-age.ts"
import type { Clock } from "../../runtime/clock.ts"
import { LANE } from "../../runtime/network.ts"
import { AssertionError, Buffer, type Maybe, isPromise } from "../../runtime/pure.ts"
import type { ClusterMetadata } from "../cluster-metadata.ts"
import { type Message, type MessageRouter, VERB } from "../messages.ts"
import { writeEntry } from "./entry-mutation.ts"
import type { Delivery } from "./outbox.ts"

const VERSION = 1
const MAX_MESSAGE_BYTES = 256 * 1024
const MAX_MESSAGE_ENTRIES = 2000
const METADATA_WAIT_MS = 5000

/** Entries gathered for one target in this turn. */
interface Outgoing {
  readonly bytes: ByteWriter
  entries: number
  epoch: number
  builtAtMicros: number
}

const MAX_IDLE = 16

export interface ViewMessengerOptions {
  /** Of this start of the node. */
  readonly incarnation: number
  readonly router: MessageRouter
  readonly store: () => LocalStore
  readonly metadata: ClusterMetadata
  readonly clock: Clock
  readonly acknowledged: (target: number, version: number) => void
  readonly refused: (target: number, version: number) => void
  readonly log: (line: string) => void
}

export class ViewMessenger implements Delivery {
  readonly #options: ViewMessengerOptions
  readonly #writer = new MutationWriter(4096)
  readonly #outgoing = new Map<number, Outgoing>()
  /** Sent, to be used again. */
  readonly #idle: Outgoing[] = []
  #flushing = false
  #here: number[] = []
  #herePosition: LogPosition | null = null

  constructor(options: ViewMessengerOptions) {
    this.#options = options
    options.router.handle(VERB.view, (message) => this.#receive(message))
    options.router.handle(VERB.viewAck, (message) => this.#receiveAck(message))
  }

  send(target: number, version: number, base: TableSchema, view: TableSchema, row: RowView, viewKey: readonly Buffer[]): void {
    const outgoing = this.#outgoing.get(target) ?? this.#begin(target)
    this.#writer.reset()
    const mutation = writeEntry(this.#writer, base, view, row, viewKey)
    outgoing.bytes.uint32(version)
    outgoing.bytes.uint32(view.id)
    outgoing.bytes.uint32(mutation.length)
    outgoing.bytes.bytes(mutation)
    outgoing.entries++
    if (outgoing.bytes.length > MAX_MESSAGE_BYTES || outgoing.entries === MAX_MESSAGE_ENTRIES) this.#flush(target, outgoing)
  }

  #begin(target: number): Outgoing {
    const { metadata, clock } = this.#options
    const outgoing = this.#idle.pop() ?? { bytes: new ByteWriter(4096), entries: 0, epoch: 0, builtAtMicros: 0 }
    outgoing.epoch = metadata.current().epoch
    outgoing.builtAtMicros = clock.nowMicros()
    this.#outgoing.set(target, outgoing)
    if (!this.#flushing) {
      this.#flushing = true
      clock.atTurnEnd(() => {
        this.#flushing = false
        for (const [to, gathered] of this.#outgoing) this.#flush(to, gathered)
      })
    }
    return outgoing
  }

  applyHere(version: number, base: TableSchema, view: TableSchema, row: RowView, viewKey: readonly Buffer[]): void {
    this.#writer.reset()
    let applied: Maybe<LogPosition>
    try {
      applied = this.#options.store().apply(writeEntry(this.#writer, base, view, row, viewKey), "view", null)
    } catch (error) {
      this.#failed(error)
      return
    }
    if (isPromise(applied)) applied.then((position) => this.#appliedHere(version, position), (error: unknown) => this.#failed(error))
    else this.#appliedHere(version, applied)
  }

  /** The store could not take an entry (its log has failed): it is not acknowledged, so that it is asked again. A bug is not hidden. */
  #failed(error: unknown): void {
    if (error instanceof AssertionError || error instanceof TypeError || error instanceof RangeError) throw error
    this.#options.log(`View entry not applied: ${String(error)}`)
  }

  /** What is applied in one turn waits for one sync. */
  #appliedHere(version: number, position: LogPosition): void {
    if (this.#here.length === 0) {
      this.#options.clock.atTurnEnd(() => {
        const versions = this.#here
        this.#here = []
        this.#options.store().onDurable(this.#herePosition as LogPosition, () => {
          for (const done of versions) this.#options.acknowledged(this.#options.router.self, done)
        })
      })
    }
    this.#here.push(version)
    this.#herePosition = position
  }

  #flush(target: number, outgoing: Outgoing): void {
    this.#outgoing.delete(target)
    const store = this.#options.store()
    store.onDurable(store.lastPosition(), () => this.#transmit(target, outgoing))
  }

  /** What the network does not take is not acknowledged, and sent again. */
  #transmit(target: number, outgoing: Outgoing): void {
    const { router, incarnation } = this.#options
    const { bytes, entries, epoch, builtAtMicros } = outgoing
    const out = router.begin(VERB.view, 0, 0)
    out.uint8(VERSION)
    out.uint8(0)
    out.uint16(entries)
    out.uint32(incarnation)
    out.uint32(epoch)
    out.timestamp(highOf(builtAtMicros), lowOf(builtAtMicros))
    out.bytes(bytes.view())
    router.send(target, LANE.data)
    bytes.reset()
    outgoing.entries = 0
    if (this.#idle.length < MAX_IDLE) this.#idle.push(outgoing)
  }

  #receive(message: Message): void {
    const { metadata, clock } = this.#options
    const { from } = message
    const known = metadata.waitFor(message.epoch, clock.monotonicMs() + METADATA_WAIT_MS)
    if (known === undefined) {
      this.#apply(from, message.bytes, message.at)
      return
    }
    const copy = Buffer.from(message.bytes.subarray(message.at))
    // Without the metadata nothing can be said: no answer, and the sender asks again.
    ;(known as Promise<void>).then(() => this.#apply(from, copy, 0), () => undefined)
  }

  #apply(from: number, bytes: Buffer, at: number): void {
    const { clock, metadata, store } = this.#options
    const reader = new ByteReader(bytes, at)
    if (reader.uint8("view message version") !== VERSION) throw new CorruptionError(`expected view message version ${VERSION}`, at)
    reader.uint8("reserved")
    const entries = reader.uint16("entries")
    const incarnation = reader.uint32("incarnation")
    const epoch = reader.uint32("epoch")
    const builtAtMicros = toNumber(reader.int32("builtAt"), reader.uint32("builtAt"))
    const tooOld = clock.nowMicros() - builtAtMicros > VIEW_MESSAGE_MAX_AGE_MS * 1000
    const refused: number[] = []
    const accepted = new Accepted(store(), (versions) => this.#answer(from, incarnation, versions, 1))
    for (let left = entries; left > 0; left--) {
      const version = reader.uint32("entry version")
      const view = reader.uint32("view")
      const mutation = reader.bytes(reader.uint32("entry size"), "entry")
      if (tooOld || !this.#current(view, epoch, mutation)) {
        refused.push(version)
        continue
      }
      if (metadata.current().schema.tableById(view) === null) {
        accepted.dropped(version)
        continue
      }
      try {
        accepted.applied(version, store().apply(mutation, "view", null), (error) => this.#failed(error))
      } catch (error) {
        this.#failed(error)
      }
    }
    if (refused.length > 0) this.#answer(from, incarnation, refused, 0)
    accepted.end()
  }

  /** True when the entry was built knowing who owns its range and what was truncated. */
  #current(viewId: number, epoch: number, mutation: Buffer): boolean {
    const snapshot = this.#options.metadata.current()
    const view = snapshot.schema.tableById(viewId)
    if (view === null) return true
    if (epoch < view.descriptor.truncationEpoch) return false
    return epoch >= snapshot.placement(view.keyspace, mutationTokenHigh(mutation), mutationTokenLow(mutation)).since
  }

  #answer(to: number, incarnation: number, versions: readonly number[], accepted: 0 | 1): void {
    const out = this.#options.router.begin(VERB.viewAck, 0, 0)
    out.uint8(VERSION)
    out.uint8(0)
    out.uint16(versions.length)
    out.uint32(incarnation)
    for (const version of versions) {
      out.uint32(version)
      out.uint8(accepted)
    }
    this.#options.router.send(to, LANE.data)
  }

  #receiveAck(message: Message): void {
    const reader = new ByteReader(message.bytes, message.at)
    if (reader.uint8("view ack version") !== VERSION) throw new CorruptionError(`expected view ack version ${VERSION}`, message.at)
    reader.uint8("reserved")
    const entries = reader.uint16("entries")
    // To an earlier start of this node: its versions name other things now.
    if (reader.uint32("incarnation") !== this.#options.incarnation) return
    for (let left = entries; left > 0; left--) {
      const version = reader.uint32("entry version")
      if (reader.uint8("accepted") === 1) this.#options.acknowledged(message.from, version)
      else this.#options.refused(message.from, version)
    }
  }
}

/** The entries of one message that this node takes: acknowledged together when the last of them is durable. */
class Accepted {
  readonly #store: LocalStore
  readonly #answer: (versions: readonly number[]) => void
  readonly #versions: number[] = []
  #last: LogPosition | null = null
  #waiting = 0
  #isEnded = false

  constructor(store: LocalStore, answer: (versions: readonly number[]) => void) {
    this.#store = store
    this.#answer = answer
  }

  /** Of a view that is gone. */
  dropped(version: number): void {
    this.#versions.push(version)
  }

  applied(version: number, applied: Maybe<LogPosition>, failed: (error: unknown) => void): void {
    if (!isPromise(applied)) {
      this.#take(version, applied)
      return
    }
    this.#waiting++
    const settled = (): void => {
      this.#waiting--
      this.#finish()
    }
    applied.then((position) => this.#take(version, position), failed).then(settled)
  }

  end(): void {
    this.#isEnded = true
    this.#finish()
  }

  #take(version: number, position: LogPosition): void {
    this.#versions.push(version)
    const last = this.#last
    if (last === null || position.segment > last.segment || (position.segment === last.segment && position.offset > last.offset)) this.#last = position
  }

  #finish(): void {
    if (!this.#isEnded || this.#waiting > 0 || this.#versions.length === 0) return
    if (this.#last === null) this.#answer(this.#versions)
    else this.#store.onDurable(this.#last, () => this.#answer(this.#versions))
  }
}
