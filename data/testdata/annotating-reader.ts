// A reader that notes what every byte was read as: how the annotated hexdumps beside this file are made.
import type { Buffer } from "../../runtime/pure.ts"
import { ByteReader } from "../bytes.ts"

const BYTES_PER_LINE = 12

export class AnnotatingReader extends ByteReader {
  readonly #lines: string[]
  readonly #indent: string

  /** `parent`: the reader whose dump this one's lines are added to, indented. */
  constructor(bytes: Uint8Array, from = 0, to = bytes.length, parent: AnnotatingReader | null = null) {
    super(bytes, from, to)
    this.#lines = parent === null ? [] : parent.#lines
    this.#indent = parent === null ? "" : parent.#indent + "  "
  }

  override uint8(what: string): number {
    return this.#number(what, super.uint8(what), 1)
  }
  override uint16(what: string): number {
    return this.#number(what, super.uint16(what), 2)
  }
  override uint32(what: string): number {
    return this.#number(what, super.uint32(what), 4)
  }
  override int32(what: string): number {
    return this.#number(what, super.int32(what), 4)
  }
  override bytes(size: number, what: string): Buffer {
    const bytes = super.bytes(size, what)
    this.#note(what, size)
    return bytes
  }
  override skip(size: number, what: string): void {
    super.skip(size, what)
    this.#note(what, size)
  }

  get dump(): string {
    return this.#lines.join("\n") + "\n"
  }
  heading(text: string): void {
    this.#lines.push(`${this.#indent}-- ${text}`)
  }

  #number(what: string, value: number, size: number): number {
    this.#note(`${what} = ${value}`, size)
    return value
  }
  #note(what: string, size: number): void {
    const from = this.at - size
    for (let at = from; at < this.at || at === from; at += BYTES_PER_LINE) {
      const hex = this.buffer.subarray(at, Math.min(at + BYTES_PER_LINE, this.at)).toString("hex").replaceAll(/(..)(?=.)/g, "$1 ")
      this.#lines.push(`${this.#indent}${at.toString(16).padStart(4, "0")}  ${hex.padEnd(BYTES_PER_LINE * 3 - 1)}  ${at === from ? what : ""}`.trimEnd())
      if (size === 0) break
    }
  }
}
