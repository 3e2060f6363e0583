// The payloads of read messages: commands go there and back, responses replay as they were written.
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ByteReader, ByteWriter, CorruptionError } from "../../data/bytes.ts"
import type { RowSink } from "../../data/local-store.ts"
import type { ReadCommand } from "../../data/read-command.ts"
import { rowBytes } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { Buffer, md5 } from "../../runtime/pure.ts"
import { decodeReadCommand, decodeReadHead, encodeReadCommand } from "./read-command-codec.ts"
import { ResponseWriter, digestResponse, replayResponse } from "./read-response.ts"

const table = { id: 1000 } as TableSchema
const bytes = fc.uint8Array({ maxLength: 20 }).map((value) => Buffer.from(value))
const token = fc.record({ high: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), low: fc.integer({ min: 0, max: 2 ** 32 - 1 }) })
const command: fc.Arbitrary<ReadCommand> = fc.record({
  table: fc.constant(table),
  nowSeconds: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  target: fc.oneof(
    fc.record({ kind: fc.constant("partition" as const), token, key: bytes }),
    fc.record({ kind: fc.constant("range" as const), range: fc.record({ start: token, end: token }) }),
  ),
  slices: fc.option(fc.array(fc.record({ start: bytes, startInclusive: fc.boolean(), end: bytes, endInclusive: fc.boolean() }), { maxLength: 4 })),
  reversed: fc.boolean(),
  limit: fc.integer({ min: 1, max: 0x7fffffff }),
  perPartitionLimit: fc.integer({ min: 1, max: 0x7fffffff }),
  after: fc.option(fc.record({ token, key: bytes, clustering: fc.option(bytes) })),
})

function encoded(given: ReadCommand, epoch: number): Buffer {
  const out = new ByteWriter()
  encodeReadCommand(given, epoch, out)
  return out.take()
}

describe("read commands", () => {
  test("come back as they were", () => {
    fc.assert(
      fc.property(command, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (given, epoch) => {
        const reader = new ByteReader(encoded(given, epoch))
        expect(decodeReadHead(reader)).toEqual({ requiredEpoch: epoch, tableId: 1000 })
        expect(decodeReadCommand(table, reader)).toEqual(given)
      }),
    )
  })
  test("cut off anywhere they are corrupt, never something else", () => {
    fc.assert(
      fc.property(command, fc.nat(), (given, cut) => {
        const whole = encoded(given, 1)
        const reader = new ByteReader(whole.subarray(0, cut % whole.length))
        expect(() => {
          decodeReadHead(reader)
          decodeReadCommand(table, reader)
        }).toThrow(CorruptionError)
      }),
    )
  })
})

const deletion = { timestampHigh: 0, timestampLow: 7, localDeletionTime: 9 }
function rowOf(clustering: number): Buffer {
  const marker = { timestampHigh: 0, timestampLow: 5, ttlSeconds: 0, expiresAt: 0 }
  return rowBytes({ isStatic: false, clustering: Buffer.from([0, 0, 0, 1, clustering]), marker, deletion: null, complexDeletions: [], cells: [] })
}

function response(): Buffer {
  const writer = new ResponseWriter()
  writer.partition({ high: -1, low: 2 }, Buffer.from("a"), deletion)
  writer.rangeTombstone({ start: Buffer.from([0, 0, 0, 1, 1]), startInclusive: true, end: Buffer.alloc(0), endInclusive: false, deletion })
  const padded = Buffer.concat([Buffer.from("xx"), rowOf(1)])
  writer.row(padded, 2, padded.length, true)
  writer.row(rowOf(2), 0, rowOf(2).length, false)
  writer.partitionEnd()
  writer.partition({ high: 3, low: 4 }, Buffer.from("b"), null)
  writer.row(rowOf(3), 0, rowOf(3).length, true)
  writer.partitionEnd()
  return writer.out.take()
}

class Calls implements RowSink {
  readonly calls: unknown[] = []
  rowsWanted = Infinity
  partition(...call: unknown[]): void {
    this.calls.push(["partition", ...call])
  }
  rangeTombstone(...call: unknown[]): void {
    this.calls.push(["rangeTombstone", ...call])
  }
  row(source: Uint8Array, from: number, to: number, live: boolean): boolean {
    this.calls.push(["row", Buffer.from(source.subarray(from, to)).toString("hex"), live])
    return --this.rowsWanted > 0
  }
  partitionEnd(): void {
    this.calls.push(["partitionEnd"])
  }
}

describe("read responses", () => {
  test("replay what was written", () => {
    const sink = new Calls()
    expect(replayResponse(response(), sink)).toBe(true)
    expect(sink.calls).toEqual([
      ["partition", { high: -1, low: 2 }, Buffer.from("a"), deletion],
      ["rangeTombstone", { start: Buffer.from([0, 0, 0, 1, 1]), startInclusive: true, end: Buffer.alloc(0), endInclusive: false, deletion }],
      ["row", rowOf(1).toString("hex"), true],
      ["row", rowOf(2).toString("hex"), false],
      ["partitionEnd"],
      ["partition", { high: 3, low: 4 }, Buffer.from("b"), null],
      ["row", rowOf(3).toString("hex"), true],
      ["partitionEnd"],
    ])
  })
  test("stop when the sink has enough", () => {
    const sink = new Calls()
    sink.rowsWanted = 1
    expect(replayResponse(response(), sink)).toBe(false)
    expect(sink.calls).toHaveLength(3)
  })
  test("cut off within an entry they are corrupt", () => {
    const whole = response()
    let corrupt = 0
    for (let cut = 1; cut < whole.length; cut++) {
      try {
        replayResponse(whole.subarray(0, cut), new Calls())
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptionError)
        corrupt++
      }
    }
    expect(whole.length - 1 - corrupt).toBe(7)
  })
})

describe("digests", () => {
  test("of tables cover every byte", () => {
    expect(digestResponse(response(), false)).toEqual(md5(response()))
  })
  test("of views leave out what nobody sees", () => {
    const visible = new ResponseWriter()
    visible.partition({ high: 3, low: 4 }, Buffer.from("b"), null)
    visible.row(rowOf(3), 0, rowOf(3).length, true)
    visible.partitionEnd()
    const withMasks = new ResponseWriter()
    withMasks.partition({ high: -1, low: 2 }, Buffer.from("a"), null)
    withMasks.row(rowOf(1), 0, rowOf(1).length, false)
    withMasks.partitionEnd()
    replayResponse(visible.out.take(), withMasks)
    expect(digestResponse(withMasks.out.take(), true)).toEqual(digestResponse(visible.out.take(), true))
    expect(digestResponse(withMasks.out.take(), false)).not.toEqual(digestResponse(visible.out.take(), false))
    expect(digestResponse(response(), true)).not.toEqual(digestResponse(visible.out.take(), true))
  })
})
