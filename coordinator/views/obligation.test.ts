import { existsSync, readFileSync, writeFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ByteWriter, CorruptionError } from "../../data/bytes.ts"
import { encodeClustering } from "../../data/row-format.ts"
import { AnnotatingReader } from "../../data/testdata/annotating-reader.ts"
import { Buffer } from "../../runtime/pure.ts"
import { type ObligationFields, checkObligation, decodeObligation, encodeObligation, isSameRow, isSelfWritten, keyEndOf, keyStart, nameOf, readObligation, viewOf } from "./obligation.ts"

const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value))
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const obligation: fc.Arbitrary<ObligationFields & { key: Buffer }> = fc.record({
  selfWritten: fc.boolean(), view: uint32, base: uint32, incarnation: uint32, counter: uint32, key: bytes,
  token: fc.record({ high: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), low: uint32 }),
  clustering: fc.array(bytes, { maxLength: 3 }).map(encodeClustering), viewKey: fc.array(bytes, { maxLength: 4 }),
})

function encode(fields: ObligationFields): Buffer {
  const out = new ByteWriter()
  encodeObligation(fields, out)
  return out.take()
}

const TOKEN = { high: -5, low: 0xfffffffe }
function named(view: number, viewKey: readonly Buffer[]): Buffer {
  return encode({ selfWritten: false, view, base: 2, incarnation: 3, counter: 4, token: TOKEN, key: Buffer.from("k"), clustering: Buffer.alloc(0), viewKey })
}

describe("obligations in the log", () => {
  test("come back as they were written", () => {
    fc.assert(
      fc.property(obligation, (fields) => {
        expect(decodeObligation(encode(fields))).toEqual(fields)
      }),
    )
  })

  test("are read where they lie", () => {
    fc.assert(
      fc.property(obligation, obligation, (fields, other) => {
        const whole = encode(fields)
        checkObligation(whole)
        expect([viewOf(whole), isSelfWritten(whole), whole.subarray(keyStart, keyEndOf(whole))]).toEqual([fields.view, fields.selfWritten, fields.key])
        expect(isSameRow(whole, encode({ ...other, base: fields.base, key: fields.key, clustering: fields.clustering }))).toBe(true)
        const isSame = fields.base === other.base && fields.key.equals(other.key) && Buffer.compare(fields.clustering, other.clustering) === 0
        expect(isSameRow(whole, encode(other))).toBe(isSame)
      }),
    )
  })

  test("with a view key longer than any of its columns may be", () => {
    const part = Buffer.alloc(65_535, 7)
    const fields = { selfWritten: true, view: 1, base: 2, incarnation: 3, counter: 4, token: TOKEN, key: part, clustering: encodeClustering([Buffer.alloc(65_531, 8)]), viewKey: [part, part, part] }
    expect(decodeObligation(encode(fields))).toEqual(fields)
  })

  test("cut off anywhere, or with more behind them, are corrupt and never something else", () => {
    fc.assert(
      fc.property(obligation, fc.nat(), (fields, cut) => {
        const whole = encode(fields)
        checkObligation(whole)
        // Behind whole values of the view key nothing says that one is missing: the log's record does.
        const from = whole.length - encodeClustering(fields.viewKey).length
        const ends = new Set([whole.length])
        for (let at = from, index = 0; index < fields.viewKey.length; index++) {
          ends.add(at)
          at += 4 + fields.viewKey[index]!.length
        }
        const size = cut % whole.length
        for (const broken of [...(ends.has(size) ? [] : [whole.subarray(0, size)]), Buffer.concat([whole, Buffer.from([0])])]) {
          expect(() => decodeObligation(broken)).toThrow(CorruptionError)
          expect(() => checkObligation(broken)).toThrow(CorruptionError)
        }
      }),
    )
  })

  test("of another version are not guessed at", () => {
    const whole = encode({ selfWritten: false, view: 1, base: 2, incarnation: 3, counter: 4, token: TOKEN, key: Buffer.from("k"), clustering: Buffer.alloc(0), viewKey: [] })
    whole[0] = 1
    expect(() => decodeObligation(whole)).toThrow("expected obligation version 2, found 1")
    expect(() => checkObligation(whole)).toThrow("expected obligation version 2, found 1")
  })

  test("have one name for one view row, whatever bytes its key has", () => {
    const key = fc.tuple(fc.constantFrom(1, 11), fc.array(fc.constantFrom("", ":", "1", "\u0000", "1:").map((text) => Buffer.from(text)), { minLength: 2, maxLength: 3 }))
    fc.assert(
      fc.property(key, key, ([view, viewKey], [otherView, otherKey]) => {
        const isSame = view === otherView && viewKey.length === otherKey.length && viewKey.every((value, index) => value.equals(otherKey[index]!))
        expect(nameOf(named(view, viewKey)) === nameOf(named(otherView, otherKey))).toBe(isSame)
      }),
    )
  })
})

test("obligation.hex", () => {
  const fields: ObligationFields = {
    selfWritten: true, view: 1002, base: 1001, incarnation: 3, counter: 77, token: TOKEN, key: Buffer.from("NO"), clustering: encodeClustering([Buffer.from("Bergen")]),
    viewKey: [Buffer.from("Vestland"), Buffer.from("NO"), Buffer.from("Bergen")],
  }
  const reader = new AnnotatingReader(encode(fields))
  expect(readObligation(reader)).toEqual(fields)
  const file = new URL("testdata/obligation.hex", import.meta.url)
  if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(file, reader.dump)
  expect(existsSync(file), "run once with UPDATE_GOLDENS=1").toBe(true)
  expect(reader.dump).toBe(readFileSync(file, "utf8"))
})
