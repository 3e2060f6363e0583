// vector: the elements one after the other, each with its size as an unsigned vint in front if the type wants it.
import { Buffer, assert } from "../../runtime/pure.ts"
import { type CqlValue, type TypeOperations, compareEmpty } from "./operations.ts"
import { readUnsignedVint, writeUnsignedVint } from "./vint.ts"

interface Span {
  readonly from: number
  readonly to: number
}

/** Where the element at `at` lies; null when the bytes end too early. */
function elementAt(bytes: Uint8Array, at: number, end: number, fixedSize: number | null): Span | null {
  const size = fixedSize === null ? readUnsignedVint(bytes, at, end) : { value: BigInt(fixedSize), end: at }
  if (size === null || size.value > BigInt(end - size.end)) return null
  return { from: size.end, to: size.end + Number(size.value) }
}

export function vectorOperations(element: TypeOperations, dimension: number): TypeOperations {
  const fixedSize = element.vectorElementSize
  const spans = (bytes: Uint8Array, from: number, to: number): Span[] => {
    const found: Span[] = []
    for (let at = from; found.length < dimension; ) {
      const span = elementAt(bytes, at, to, fixedSize)
      assert(span !== null, "a valid vector")
      found.push(span)
      at = span.to
    }
    return found
  }
  return {
    encode(value) {
      assert(Array.isArray(value) && value.length === dimension, `an array of ${dimension}`)
      const parts = (value as readonly CqlValue[]).map((item) => element.encode(item))
      return Buffer.concat(fixedSize === null ? parts.flatMap((part) => [writeUnsignedVint(BigInt(part.length)), part]) : parts)
    },
    decode: (bytes) => (bytes.length === 0 ? null : spans(bytes, 0, bytes.length).map(({ from, to }) => element.decode(bytes.subarray(from, to)))),
    validate(bytes, from, to) {
      if (from === to) return null
      let at = from
      for (let index = 0; index < dimension; index++) {
        const span = elementAt(bytes, at, to, fixedSize)
        if (span === null) return `Not enough bytes to read a vector<${dimension}>`
        const message = element.validate(bytes, span.from, span.to)
        if (message !== null) return message
        at = span.to
      }
      return at === to ? null : "Unexpected extraneous bytes after vector value"
    },
    compare(a, aFrom, aTo, b, bFrom, bTo) {
      const empty = compareEmpty(aFrom, aTo, bFrom, bTo)
      if (empty !== null) return empty
      const others = spans(b, bFrom, bTo)
      for (const [index, span] of spans(a, aFrom, aTo).entries()) {
        const other = others[index] as Span
        const order = element.compare(a, span.from, span.to, b, other.from, other.to)
        if (order !== 0) return order
      }
      return 0
    },
    vectorElementSize: fixedSize === null ? null : fixedSize * dimension,
  }
}
