import { existsSync, readFileSync, writeFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ByteWriter, CorruptionError } from "../../data/bytes.ts"
import { encodeClustering } from "../../data/row-format.ts"
import { AnnotatingReader } from "../../data/testdata/annotating-reader.ts"
import { Buffer } from "../../runtime/pure.ts"
import { type ObligationFields, decodeObligation, encodeObligation, obligationName, readObligation } from "./obligation.ts"

const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value))
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const obligation: fc.Arbitrary<ObligationFields> = fc.record({
  selfWritten: fc.boolean(), view: uint32, base: uint32, incarnation: uint32, counter: uint32, key: bytes,
  clustering: fc.array(bytes, { maxLength: 3 }).map(encodeClustering), viewKey: fc.array(bytes, { maxLength: 4 }),
})

function encode(fields: ObligationFields): Buffer {
  const out = new ByteWriter()
  encodeObligation(fields, out)
  return out.take()
}

describe("obligations in the log", () => {
  test("come back as they were written", () => {
    fc.assert(
      fc.property(obligation, (fields) => {
        expect(decodeObligation(encode(fields))).toEqual(fields)
      }),
    )
  })

  test("with a view key longer than any of its columns may be", () => {
    const part = Buffer.alloc(65_535, 7)
    const fields = { selfWritten: true, view: 1, base: 2, incarnation: 3, counter: 4, key: part, clustering: encodeClustering([Buffer.alloc(65_531, 8)]), viewKey: [part, part, part] }
    expect(decodeObligation(encode(fields))).toEqual(fields)
  })

  test("cut off anywhere, or with more behind them, are corrupt and never something else", () => {
    fc.assert(
      fc.property(obligation, fc.nat(), (fields, cut) => {
        const whole = encode(fields)
        expect(() => decodeObligation(whole.subarray(0, cut % whole.length))).toThrow(CorruptionError)
        expect(() => decodeObligation(Buffer.concat([whole, Buffer.from([0])]))).toThrow(CorruptionError)
      }),
    )
  })

  test("of another version are not guessed at", () => {
    const whole = encode({ selfWritten: false, view: 1, base: 2, incarnation: 3, counter: 4, key: Buffer.from("k"), clustering: Buffer.alloc(0), viewKey: [] })
    whole[0] = 2
    expect(() => decodeObligation(whole)).toThrow("expected obligation version 1, found 2")
  })

  test("have one name for one view row, whatever bytes its key has", () => {
    const key = fc.tuple(fc.constantFrom(1, 11), fc.array(fc.constantFrom("", ":", "1", "\u0000", "1:").map((text) => Buffer.from(text)), { minLength: 2, maxLength: 3 }))
    fc.assert(
      fc.property(key, key, ([view, viewKey], [otherView, otherKey]) => {
        const isSame = view === otherView && viewKey.length === otherKey.length && viewKey.every((value, index) => value.equals(otherKey[index]!))
        expect(obligationName(view, viewKey) === obligationName(otherView, otherKey)).toBe(isSame)
      }),
    )
  })
})

test("obligation.hex", () => {
  const fields: ObligationFields = {
    selfWritten: true, view: 1002, base: 1001, incarnation: 3, counter: 77, key: Buffer.from("NO"), clustering: encodeClustering([Buffer.from("Bergen")]),
    viewKey: [Buffer.from("Vestland"), Buffer.from("NO"), Buffer.from("Bergen")],
  }
  const reader = new AnnotatingReader(encode(fields))
  expect(readObligation(reader)).toEqual(fields)
  const file = new URL("testdata/obligation.hex", import.meta.url)
  if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(file, reader.dump)
  expect(existsSync(file), "run once with UPDATE_GOLDENS=1").toBe(true)
  expect(reader.dump).toBe(readFileSync(file, "utf8"))
})
