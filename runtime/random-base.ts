// What every generator derives from its 32-bit numbers, so that real and simulated ones differ only in where those come from.
import { Buffer, assert } from "./pure.ts"
import type { Random } from "./random.ts"

const TWO_32 = 2 ** 32

export abstract class RandomBase implements Random {
  abstract uint32(): number
  abstract child(name: string): Random

  float(): number {
    // 53 random bits, as many as a float in [0, 1) holds.
    const high = this.uint32() >>> 5
    const low = this.uint32() >>> 6
    return (high * 2 ** 26 + low) / 2 ** 53
  }

  below(bound: number): number {
    assert(Number.isSafeInteger(bound) && bound > 0, `a bound of at least 1, not ${bound}`)
    if (bound > TWO_32) return Math.floor(this.float() * bound)
    // Numbers from the incomplete last stretch of [0, 2^32) are drawn again, else small results would be likelier.
    const limit = TWO_32 - (TWO_32 % bound)
    let value = this.uint32()
    while (value >= limit) value = this.uint32()
    return value % bound
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count)
    let at = 0
    for (; at + 4 <= count; at += 4) bytes.writeUInt32BE(this.uint32(), at)
    if (at < count) bytes.writeUIntBE(this.uint32() % 2 ** (8 * (count - at)), at, count - at)
    return bytes
  }

  uuid(): string {
    const bytes = this.bytes(16)
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
    const hex = bytes.toString("hex")
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }
}
