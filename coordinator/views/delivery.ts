// View messages between base replicas and view replicas. Big-endian, in the envelope of coordinator/messages.ts.
//
// VERB.view:
//   offset  field
//   0       u8   version        1
//   1       u8   reserved       0
//   2       u16  entries
//   4       i64  builtAt        microseconds on the sender's clock: no entry is older
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
//   then, × entries: u32 version, u8 accepted (1 durable here, 0 refused: build it again)
//
// A receiver refuses what is older than MAX_AGE_MS (F1), what was built before it learnt of the last truncation, and what
// was sent under an older ownership of the range (views.md, section 8). A view it knows was dropped is acknowledged.
// Versions: 1 this one. What is bad about it: an entry names its view twice, outside and inside its mutation.
import { ByteReader, ByteWriter, CorruptionError } from "../../data/bytes.ts"
import type { LocalStore, LogPosition, RowView } from "../../data/local-store.ts"
import { MutationWriter, mutationTokenHigh, mutationTokenLow } from "../../data/mutation.ts"
import type { TableSchema } from "../../data/schema.ts"
import { highOf, lowOf, toNumber } from "../../data/timestamp.ts"
import type { Clock } from "../../runtime/clock.ts"
import { LANE } from "../../runtime/network.ts"
import { isPromise } from "../../runtime/pure.ts"
import type { ClusterMetadata } from "../cluster-metadata.ts"
import { type Message, type MessageRouter, VERB } from "../messages.ts"
import { writeEntry } from "./entry-mutation.ts"
import type { Delivery } from "./outbox.ts"

const VERSION = 1
export const MAX_AGE_MS = 60_000
const MAX_MESSAGE_BYTES = 256 * 1024
const MAX_MESSAGE_ENTRIES = 2000
const METADATA_WAIT_MS = 5000

/** Entries gathered for one target in this turn. */
interface Outgoing {
  readonly bytes: ByteWriter
  entries: number
}

export interface ViewMessengerOptions {
  readonly router: MessageRouter
  readonly store: () => LocalStore
  readonly metadata: ClusterMetadata
  readonly clock: Clock
  readonly acknowledged: (target: number, version: number) => void
  readonly refused: (target: number, version: number) => void
}

export class ViewMessenger implements Delivery {
  readonly #options: ViewMessengerOptions
  readonly #writer = new MutationWriter(4096)
  readonly #outgoing = new Map<number, Outgoing>()
  #flushing = false
  #here: number[] = []
  #herePosition: LogPosition | null = null

  constructor(options: ViewMessengerOptions) {
    this.#options = options
    options.router.handle(VERB.view, (message) => this.#receive(message))
    options.router.handle(VERB.viewAck, (message) => this.#receiveAck(message))
  }

  send(target: number, version: number, base: TableSchema, view: TableSchema, row: RowView, viewKey: readonly Buffer[]): boolean {
    let outgoing = this.#outgoing.get(target)
    if (outgoing === undefined) this.#outgoing.set(target, (outgoing = { bytes: new ByteWriter(4096), entries: 0 }))
    this.#writer.reset()
    const mutation = writeEntry(this.#writer, base, view, row, viewKey)
    outgoing.bytes.uint32(version)
    outgoing.bytes.uint32(view.id)
    outgoing.bytes.uint32(mutation.length)
    outgoing.bytes.bytes(mutation)
    outgoing.entries++
    if (outgoing.bytes.length > MAX_MESSAGE_BYTES || outgoing.entries === MAX_MESSAGE_ENTRIES) return this.#flushTo(target, outgoing)
    if (!this.#flushing) {
      this.#flushing = true
      this.#options.clock.atTurnEnd(() => {
        this.#flushing = false
        // What the network does not take now is not acknowledged, and sent again.
        for (const [to, gathered] of this.#outgoing) if (gathered.entries > 0) this.#flushTo(to, gathered)
      })
    }
    return true
  }

  applyHere(version: number, base: TableSchema, view: TableSchema, row: RowView, viewKey: readonly Buffer[]): void {
    this.#writer.reset()
    const applied = this.#options.store().apply(writeEntry(this.#writer, base, view, row, viewKey), "view", null)
    if (isPromise(applied)) void applied.then((position) => this.#appliedHere(version, position))
    else this.#appliedHere(version, applied)
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

  #flushTo(target: number, outgoing: Outgoing): boolean {
    const { router, clock } = this.#options
    const builtAt = clock.nowMicros()
    const out = router.begin(VERB.view, 0, 0)
    out.uint8(VERSION)
    out.uint8(0)
    out.uint16(outgoing.entries)
    out.timestamp(highOf(builtAt), lowOf(builtAt))
    out.bytes(outgoing.bytes.view())
    outgoing.bytes.reset()
    outgoing.entries = 0
    return router.send(target, LANE.data)
  }

  #receive(message: Message): void {
    const { metadata, clock } = this.#options
    const known = metadata.waitFor(message.epoch, clock.monotonicMs() + METADATA_WAIT_MS)
    if (known === undefined) {
      this.#apply(message.from, message.epoch, message.bytes, message.at)
      return
    }
    const { from, epoch } = message
    const copy = Buffer.from(message.bytes.subarray(message.at))
    // Without the metadata nothing can be said: no answer, and the sender asks again.
    ;(known as Promise<void>).then(() => this.#apply(from, epoch, copy, 0), () => undefined)
  }

  #apply(from: number, epoch: number, bytes: Buffer, at: number): void {
    const reader = new ByteReader(bytes, at)
    if (reader.uint8("view message version") !== VERSION) throw new CorruptionError("expected view message version 1", at)
    reader.uint8("reserved")
    const entries = reader.uint16("entries")
    const builtAt = toNumber(reader.int32("builtAt"), reader.uint32("builtAt"))
    const tooOld = this.#options.clock.nowMicros() - builtAt > MAX_AGE_MS * 1000
    const accepted: number[] = []
    const refused: number[] = []
    let last: LogPosition | null = null
    const slow: Promise<LogPosition>[] = []
    for (let left = entries; left > 0; left--) {
      const version = reader.uint32("entry version")
      const view = reader.uint32("view")
      const mutation = reader.bytes(reader.uint32("entry size"), "entry")
      if (tooOld || !this.#current(view, epoch, mutation)) {
        refused.push(version)
        continue
      }
      accepted.push(version)
      if (this.#options.metadata.current().schema.tableById(view) === null) continue
      const applied = this.#options.store().apply(mutation, "view", null)
      if (isPromise(applied)) slow.push(applied)
      else last = applied
    }
    if (refused.length > 0) this.#answer(from, refused, 0)
    if (accepted.length > 0) this.#acknowledgeWhenDurable(from, accepted, last, slow)
  }

  /** True when the entry was built knowing who owns its range and what was truncated. */
  #current(viewId: number, epoch: number, mutation: Buffer): boolean {
    const snapshot = this.#options.metadata.current()
    const view = snapshot.schema.tableById(viewId)
    if (view === null) return true
    if (epoch < view.descriptor.truncationEpoch) return false
    return epoch >= snapshot.placement(view.keyspace, mutationTokenHigh(mutation), mutationTokenLow(mutation)).since
  }

  #acknowledgeWhenDurable(to: number, versions: readonly number[], last: LogPosition | null, slow: readonly Promise<LogPosition>[]): void {
    const acknowledge = (): void => this.#answer(to, versions, 1)
    const store = this.#options.store()
    if (slow.length > 0) {
      // A failed apply is not acknowledged: the sender asks again.
      Promise.all(slow).then(
        (positions) => {
          const latest = positions.reduce((a, b) => (a.segment > b.segment || (a.segment === b.segment && a.offset > b.offset) ? a : b))
          store.onDurable(latest, acknowledge)
        },
        () => undefined,
      )
    } else if (last === null) acknowledge()
    else store.onDurable(last, acknowledge)
  }

  #answer(to: number, versions: readonly number[], accepted: 0 | 1): void {
    const out = this.#options.router.begin(VERB.viewAck, 0, 0)
    out.uint8(VERSION)
    out.uint8(0)
    out.uint16(versions.length)
    for (const version of versions) {
      out.uint32(version)
      out.uint8(accepted)
    }
    this.#options.router.send(to, LANE.data)
  }

  #receiveAck(message: Message): void {
    const reader = new ByteReader(message.bytes, message.at)
    if (reader.uint8("view ack version") !== VERSION) throw new CorruptionError("expected view ack version 1", message.at)
    reader.uint8("reserved")
    for (let left = reader.uint16("entries"); left > 0; left--) {
      const version = reader.uint32("entry version")
      if (reader.uint8("accepted") === 1) this.#options.acknowledged(message.from, version)
      else this.#options.refused(message.from, version)
    }
  }
}
