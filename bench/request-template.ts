// EXECUTE frames for a load: all frames of one load have the same size, so that writing one is a copy of a prepared
// frame and a few bytes patched (stream, keys, timestamp). About 0.15 us a request.
//
// Values, comma separated, one per bind marker:
//   kN  text key "u000000000" at random out of N        sN  the same, one after the other
//   iN  int at random below N                           bL  text of L characters, different ones in turn
import { HEADER_BYTES, OPCODE, frame, int32 } from "./cql-connection.ts"

/** Frames with different texts, so that compression does not get the same row over and over. */
const VARIANTS = 64
const KEY_DIGITS = 9
const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-_"
const FLAG = { values: 0x01, skipMetadata: 0x02, timestamp: 0x20 } as const

interface Patch {
  readonly kind: "k" | "s" | "i"
  /** Of the value's bytes in the frame. */
  readonly at: number
  readonly below: number
}

export class RequestTemplate {
  readonly size: number
  readonly #variants: Buffer[] = []
  readonly #patches: Patch[] = []
  readonly #timestampAt: number
  #variant = 0
  #sequence = 0
  /** xorshift32: Math.random costs three times as much. */
  #random = 0x9e3779b9

  constructor(id: Buffer, values: string, consistency: number) {
    for (let variant = 0; variant < VARIANTS; variant++) this.#variants.push(this.#frame(id, values === "" ? [] : values.split(","), consistency, variant === 0))
    this.size = this.#variants[0]!.length
    this.#timestampAt = this.size - 8
  }

  /** Writes the next request; `timestampLow` is unsigned. */
  write(target: Buffer, at: number, stream: number, timestampHigh: number, timestampLow: number): void {
    this.#variant = (this.#variant + 1) & (VARIANTS - 1)
    this.#variants[this.#variant]!.copy(target, at)
    target[at + 2] = stream >> 8
    target[at + 3] = stream
    for (const { kind, at: offset, below } of this.#patches) {
      const value = kind === "s" ? this.#sequence++ % below : this.#next() % below
      if (kind === "i") target.writeInt32BE(value, at + offset)
      else writeDigits(target, at + offset + 1, value)
    }
    target.writeInt32BE(timestampHigh, at + this.#timestampAt)
    target.writeUInt32BE(timestampLow, at + this.#timestampAt + 4)
  }

  #frame(id: Buffer, values: readonly string[], consistency: number, isFirst: boolean): Buffer {
    const parts: Buffer[] = [Buffer.from([0, id.length]), id, Buffer.from([0, consistency, FLAG.values | FLAG.skipMetadata | FLAG.timestamp, 0, values.length])]
    let at = HEADER_BYTES + parts.reduce((sum, part) => sum + part.length, 0)
    for (const value of values) {
      const kind = value[0] as string
      const amount = Number(value.slice(1))
      if (!"ksib".includes(kind) || !(amount > 0)) throw new Error(`bad value ${value}`)
      const bytes = kind === "b" ? this.#text(amount) : kind === "i" ? Buffer.alloc(4) : Buffer.from("u".padEnd(1 + KEY_DIGITS, "0"))
      if (isFirst && kind !== "b") this.#patches.push({ kind: kind as Patch["kind"], at: at + 4, below: amount })
      parts.push(int32(bytes.length), bytes)
      at += 4 + bytes.length
    }
    return frame(OPCODE.execute, Buffer.concat([...parts, Buffer.alloc(8)]))
  }

  #text(size: number): Buffer {
    return Buffer.from(Array.from({ length: size }, () => ALPHABET[this.#next() % ALPHABET.length]).join(""))
  }

  #next(): number {
    let x = this.#random
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#random = x
    return x >>> 0
  }
}

function writeDigits(target: Buffer, at: number, value: number): void {
  let left = value
  for (let digit = KEY_DIGITS - 1; digit >= 0; digit--) {
    const rest = Math.floor(left / 10)
    target[at + digit] = 48 + left - rest * 10
    left = rest
  }
}
