// Texts are looked at in words where they are long: damage is found wherever it is, and neighbours do not matter.
import { expect, test } from "vitest"
import { Buffer } from "../../runtime/pure.ts"
import { TEXT } from "./texts.ts"

const PROBLEM = "String didn't validate."

test("a damaged byte is found at every place of texts of every size and alignment", () => {
  const memory = Buffer.alloc(160)
  for (let start = 0; start < 4; start++) {
    const bytes = memory.subarray(start, start + 150)
    for (let size = 1; size <= 70; size++) {
      const from = 8 + (size % 5)
      // What lies around is no text.
      bytes.fill(0xff)
      bytes.fill(0x61, from, from + size)
      expect(TEXT.validate(bytes, from, from + size)).toBe(null)
      for (let at = from; at < from + size; at++) {
        bytes[at] = 0xff
        expect(TEXT.validate(bytes, from, from + size)).toBe(PROBLEM)
        bytes[at] = 0x61
      }
    }
  }
})

test("letters of several bytes are fine, whole ones", () => {
  const bytes = Buffer.from("Zürich, Genève, 東京 and a few more letters")
  expect(TEXT.validate(bytes, 0, bytes.length)).toBe(null)
  expect(TEXT.validate(bytes, 2, bytes.length)).toBe(PROBLEM)
  expect(TEXT.validate(bytes, 0, 2)).toBe(PROBLEM)
})
