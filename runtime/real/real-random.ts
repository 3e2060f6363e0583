// The operating system's randomness, fetched in blocks: a call per number would cost a microsecond.
import { randomFillSync } from "node:crypto"
import type { Random } from "../random.ts"
import { RandomBase } from "../random-base.ts"

const BLOCK_SIZE = 4096

export class RealRandom extends RandomBase {
  readonly #block = Buffer.allocUnsafeSlow(BLOCK_SIZE)
  #at = BLOCK_SIZE

  override uint32(): number {
    if (this.#at === BLOCK_SIZE) {
      randomFillSync(this.#block)
      this.#at = 0
    }
    const value = this.#block.readUInt32LE(this.#at)
    this.#at += 4
    return value
  }

  /** There is no seed to derive from: any other generator is independent. */
  override child(_name: string): Random {
    return new RealRandom()
  }
}
