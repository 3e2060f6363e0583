// Randomness from a seed: the generator sfc32 (Chris Doty-Humphrey's Small Fast Counter, 128 bits of state), its state set by the MD5
// of a name. A child's name is its parent's and its own, so that it does not depend on how many numbers anybody has drawn.
import { md5 } from "../pure.ts"
import { RandomBase } from "../random-base.ts"
import type { Random } from "../random.ts"

export class SimulatedRandom extends RandomBase {
  readonly #name: string
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number | string) {
    super()
    this.#name = String(seed)
    const state = md5(this.#name)
    this.#a = state.readInt32LE(0)
    this.#b = state.readInt32LE(4)
    this.#c = state.readInt32LE(8)
    // The state is mixed before the first number is given out.
    for (let round = 0; round < 12; round++) this.uint32()
  }

  override uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  override child(name: string): Random {
    return new SimulatedRandom(`${this.#name}/${name}`)
  }
}
