import fc from "fast-check"
import { expect, test } from "vitest"
import { ByteReader, ByteWriter, CorruptionError } from "../../data/bytes.ts"
import { Buffer } from "../../runtime/pure.ts"
import { readAccept, readContent, readHead, readPromise, writeAccept, writeContent, writeHead, writePromise } from "./paxos-codec.ts"

const ballot = fc.record({ micros: fc.integer({ min: 0, max: 2 ** 52 }), node: fc.integer({ min: 0, max: 0xffffffff }) })
const bytes = fc.uint8Array({ maxLength: 50 }).map((array) => Buffer.from(array))
const proposal = fc.record({ ballot, epoch: fc.nat(), update: bytes })

/** What `read` makes of what `write` wrote; every cut of it is refused. */
function roundTrip<T>(write: (out: ByteWriter) => void, read: (reader: ByteReader) => T): T {
  const out = new ByteWriter()
  write(out)
  const written = out.take()
  for (let size = 0; size < written.length; size++) expect(() => read(new ByteReader(written.subarray(0, size)))).toThrow(CorruptionError)
  const reader = new ByteReader(written)
  const value = read(reader)
  expect(reader.remaining).toBe(0)
  return value
}

test("every message is read as it was written, and never when it is cut", () => {
  fc.assert(fc.property(fc.nat(), fc.nat(), bytes, proposal, (requiredEpoch, table, key, given) => {
    const head = { requiredEpoch, table, ballot: given.ballot, key }
    expect(roundTrip((out) => writeHead(head, out), readHead)).toEqual(head)
    expect(roundTrip((out) => writeContent(given, out), (reader) => readContent(given.ballot, reader))).toEqual(given)
  }), { numRuns: 30 })
  const maybe = fc.option(proposal, { nil: null })
  fc.assert(fc.property(fc.boolean(), fc.option(ballot, { nil: null }), maybe, maybe, (yes, latest, accepted, committed) => {
    const promise = { promised: yes, ballot: latest, accepted, committed }
    expect(roundTrip((out) => writePromise(promise, out), readPromise)).toEqual(promise)
    const answer = { accepted: yes, ballot: latest }
    expect(roundTrip((out) => writeAccept(answer, out), readAccept)).toEqual(answer)
  }), { numRuns: 30 })
})
