// A running hash over everything that happens in a simulation, in order: two runs did the same exactly when their hashes are equal.
// The same events can be kept as text, to see where two runs part.
import { crc32 } from "../pure.ts"

export class Trace {
  #first = 0x9e3779b9
  #second = 0x243f6a88
  #count = 0
  readonly #lines: string[] | null

  constructor(options?: { keepLines?: boolean }) {
    this.#lines = options?.keepLines === true ? [] : null
  }

  /** Events so far. */
  get count(): number {
    return this.#count
  }
  /** Empty unless lines are kept. */
  get lines(): readonly string[] {
    return this.#lines ?? []
  }

  record(timeMicros: number, what: string, bytes?: Uint8Array): void {
    this.#count++
    this.#mix(timeMicros % 2 ** 32)
    this.#mix(Math.floor(timeMicros / 2 ** 32))
    for (let at = 0; at < what.length; at++) this.#mix(what.charCodeAt(at))
    if (bytes !== undefined) {
      this.#mix(bytes.length)
      this.#mix(crc32(bytes))
    }
    this.#lines?.push(`${timeMicros} ${what}${bytes === undefined ? "" : ` ${bytes.length}:${crc32(bytes).toString(16)}`}`)
  }

  /** 16 hexadecimal digits. */
  hash(): string {
    return (this.#first >>> 0).toString(16).padStart(8, "0") + (this.#second >>> 0).toString(16).padStart(8, "0")
  }

  #mix(value: number): void {
    this.#first = Math.imul(this.#first ^ value, 0x85ebca6b)
    this.#first ^= this.#first >>> 15
    this.#second = Math.imul(this.#second + value, 0xc2b2ae35) ^ this.#first
    this.#second ^= this.#second >>> 13
  }
}
