import fc from "fast-check"
import { expect, test } from "vitest"
import { parseInetAddress } from "./inet.ts"

test.each([
  ["127.0.0.1", "7f000001"],
  ["255.255.255.255", "ffffffff"],
  ["::", "00".repeat(16)],
  ["::1", "00".repeat(15) + "01"],
  ["fe80::1:2", "fe80" + "00".repeat(10) + "00010002"],
  ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
  ["::ffff:10.0.0.1", "00".repeat(10) + "ffff0a000001"],
  ["1::", "0001" + "00".repeat(14)],
])("%s", (text, hex) => {
  expect(parseInetAddress(text)?.toString("hex")).toBe(hex)
})

test.each(["", "localhost", "1.2.3", "1.2.3.256", "1.2.3.4.5", "1:2:3", "1:2:3:4:5:6:7:8:9", "1::2::3", "g::", "::12345", "1:2:3:4:5:6:7::8", "127.0.0.1:9042", ":1", "1:"])("%j is no address", (text) => {
  expect(parseInetAddress(text)).toBeNull()
})

test("every address of either kind reads as its bytes", () => {
  fc.assert(fc.property(fc.ipV4(), (text) => parseInetAddress(text)?.join(".") === text))
  fc.assert(fc.property(fc.ipV6(), (text) => parseInetAddress(text)?.length === 16))
})
