// Entries on their way to one owner, in one message: which obligations they are of, in which version, and their bytes.
import { ByteWriter } from "../../data/bytes.ts"
import type { Buffer } from "../../runtime/pure.ts"
import type { Obligation } from "./outbox-obligation.ts"

/** A batch with more leaves before all that is ready is built: it is what one turn of the receiver's event loop takes. */
const MAX_ENTRIES = 1000
const MAX_BYTES = 256 * 1024
/** Bytes are needed from building until sending only. */
const MAX_IDLE_WRITERS = 16
const MAX_IDLE_BYTES = 1 << 20

export class OutboxBatch {
  readonly target: number
  /** Names the batch among all to this target since the node started: what an answer says. */
  readonly number: number
  /** When the first entry was built, and at which metadata epoch. */
  readonly builtAtMicros: number
  readonly epoch: number
  readonly obligations: Obligation[] = []
  /** Of each obligation when its entry was built. */
  readonly versions: number[] = []
  /** Mutations one behind the other; null when they have been sent. */
  bytes: ByteWriter | null
  sentMs = 0
  /** Given up: what it holds was sent again. An answer counts all the same. */
  isExpired = false

  constructor(target: number, number: number, builtAtMicros: number, epoch: number, bytes: ByteWriter) {
    this.target = target
    this.number = number
    this.builtAtMicros = builtAtMicros
    this.epoch = epoch
    this.bytes = bytes
  }

  get entries(): number {
    return this.obligations.length
  }
  get isFull(): boolean {
    return this.entries >= MAX_ENTRIES || (this.bytes as ByteWriter).length > MAX_BYTES
  }

  add(obligation: Obligation, entry: Buffer): void {
    this.obligations.push(obligation)
    this.versions.push(obligation.version)
    this.bytes?.copy(entry, 0, entry.length)
  }
}

/** Buffers of batches, used again. */
export class BatchWriters {
  readonly #idle: ByteWriter[] = []

  take(): ByteWriter {
    return this.#idle.pop() ?? new ByteWriter(4096)
  }
  giveBack(writer: ByteWriter): void {
    if (this.#idle.length === MAX_IDLE_WRITERS || writer.buffer.length > MAX_IDLE_BYTES) return
    writer.reset()
    this.#idle.push(writer)
  }
}
