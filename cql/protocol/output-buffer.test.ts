import { expect, test } from "vitest"
import { Buffer } from "../../runtime/pure.ts"
import { OutputBuffer } from "./output-buffer.ts"

const KIBIBYTE = 1024

function put(output: OutputBuffer, size: number, fill: number): Buffer {
  const at = output.writer.grow(size)
  output.writer.buffer.fill(fill, at, at + size)
  return Buffer.alloc(size, fill)
}

test("what the socket still has is not written over", () => {
  const output = new OutputBuffer()
  const sent: { readonly given: Buffer; readonly expected: Buffer }[] = []
  for (let write = 0; write < 40; write++) {
    const expected = put(output, 3 * KIBIBYTE, write)
    sent.push({ given: output.take(), expected })
    output.taken(false)
  }
  for (const { given, expected } of sent) expect(given.equals(expected)).toBe(true)
})

test("what was sent makes room for what comes next, in the same memory", () => {
  const output = new OutputBuffer()
  put(output, 20 * KIBIBYTE, 1)
  const first = output.take()
  output.taken(true)
  expect(output.pending).toBe(0)
  put(output, 20 * KIBIBYTE, 2)
  const second = output.take()
  expect(second.buffer).toBe(first.buffer)
  expect(second.byteOffset).toBe(first.byteOffset)
  expect(first[0]).toBe(2)
})

test("bytes on their way keep what comes behind them out, and all of it is free when they have left", () => {
  const output = new OutputBuffer()
  put(output, KIBIBYTE, 1)
  const first = output.take()
  output.taken(false)
  put(output, KIBIBYTE, 2)
  const second = output.take()
  output.taken(true)
  expect([first[0], second[0]]).toEqual([1, 2])
  put(output, KIBIBYTE, 3)
  expect(output.take()[0]).toBe(3)
})

test("a slab that one large answer made is given back after many small ones", () => {
  const output = new OutputBuffer()
  put(output, 100 * KIBIBYTE, 1)
  output.take()
  output.taken(true)
  expect(output.writer.buffer.length).toBeGreaterThan(64 * KIBIBYTE)
  for (let write = 0; write < 100; write++) {
    put(output, 100, 1)
    output.take()
    output.taken(true)
  }
  expect(output.writer.buffer.length).toBe(4 * KIBIBYTE)
})
