// Version 1 UUIDs: 100-nanosecond steps since 15 October 1582 and a random node number. Always later than the last one.
import type { Clock } from "../runtime/clock.ts"
import { Buffer } from "../runtime/pure.ts"
import type { Random } from "../runtime/random.ts"

const GREGORIAN_TO_UNIX_STEPS = 122_192_928_000_000_000n

export class TimeUuids {
  readonly #clock: Clock
  /** Clock sequence and node, the same for the life of this object. */
  readonly #tail: Buffer
  #last = 0n

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#tail = Buffer.from(random.bytes(8))
    this.#tail[0] = ((this.#tail[0] as number) & 0x3f) | 0x80
    // The multicast bit says that the node number is no network card's.
    this.#tail[2] = (this.#tail[2] as number) | 0x01
  }

  /** 16 bytes. */
  next(): Buffer {
    const now = BigInt(this.#clock.nowMicros()) * 10n + GREGORIAN_TO_UNIX_STEPS
    this.#last = now > this.#last ? now : this.#last + 1n
    const steps = this.#last
    const bytes = Buffer.alloc(16)
    bytes.writeUInt32BE(Number(steps & 0xffffffffn), 0)
    bytes.writeUInt16BE(Number((steps >> 32n) & 0xffffn), 4)
    bytes.writeUInt16BE(Number((steps >> 48n) & 0x0fffn) | 0x1000, 6)
    this.#tail.copy(bytes, 8)
    return bytes
  }
}
