import * as fc from "fast-check"
import { expect, test } from "vitest"
import { ByteReader } from "../../data/bytes.ts"
import type { RowSink } from "../../data/local-store.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import { type ReadCommand, NO_LIMIT } from "../../data/read-command.ts"
import { decodeClustering, decodeRow, encodeClustering } from "../../data/row-format.ts"
import { FULL_RANGE, compareTokens, rangeContains, tokenOf } from "../../data/token.ts"
import type { Token } from "../../data/topology.ts"
import { encodeValue } from "../../data/types/type-operations.ts"
import { systemTable } from "./system-table.ts"
import { INT, TEXT, map, set } from "./system-types.ts"
import { type SystemRow, VirtualRows } from "./virtual-rows.ts"

// One key column, two clustering columns of which the second descends, and columns of one and of several cells.
const descriptor = systemTable("system", { id: 999, name: "t", partitionKey: { p: INT }, clustering: { c: INT, d: INT }, regular: { v: TEXT, s: set(TEXT), m: map(TEXT, INT) } })
const schema = resolveTable({ ...descriptor, columns: descriptor.columns.map((column) => (column.name === "d" ? { ...column, reversed: true } : column)) }, [], true)

interface PlainRow {
  readonly p: number
  readonly c: number
  readonly d: number
}

const int = (value: number): Buffer => encodeValue(INT, value)
const clusteringOf = ({ c, d }: PlainRow): Buffer => encodeClustering([int(c), int(d)])

function read(rows: readonly SystemRow[], command: Partial<ReadCommand>, stopAfter = Number.POSITIVE_INFINITY): PlainRow[] {
  const found: PlainRow[] = []
  let p = 0
  let open = false
  const sink: RowSink = {
    partition(token, key) {
      expect(open).toBe(false)
      open = true
      p = Buffer.from(key).readInt32BE(0)
      expect(token).toEqual(tokenOf(key))
    },
    rangeTombstone: () => expect.fail("no tombstones"),
    row(bytes, from, to, live) {
      expect(open && live).toBe(true)
      const [c, d] = decodeClustering(decodeRow(new ByteReader(bytes, from, to)).clustering)
      found.push({ p, c: c!.readInt32BE(0), d: d!.readInt32BE(0) })
      return found.length < stopAfter
    },
    partitionEnd() {
      expect(open).toBe(true)
      open = false
    },
  }
  new VirtualRows(schema, { rows: () => rows }).read(
    { table: schema, nowSeconds: 0, target: { kind: "range", range: FULL_RANGE }, slices: null, reversed: false, limit: NO_LIMIT, perPartitionLimit: NO_LIMIT, after: null, ...command },
    sink,
  )
  return found
}

// The same read, said with filters and sorts over the plain rows.
function expected(rows: readonly PlainRow[], command: ReadCommand, bounds: readonly Bounds[] | null): PlainRow[] {
  const { target, after, reversed } = command
  const direction = reversed ? -1 : 1
  const order = (a: PlainRow, b: PlainRow): number => a.c - b.c || b.d - a.d
  const token = (row: PlainRow): Token => tokenOf(int(row.p))
  const wanted = rows
    .filter((row) => (target.kind === "partition" ? int(row.p).equals(target.key) : rangeContains(target.range, token(row).high, token(row).low)))
    .filter((row) => bounds === null || bounds.some(({ from, to, fromInclusive, toInclusive }) => (from === null || (fromInclusive ? row.c >= from : row.c > from)) && (to === null || (toInclusive ? row.c <= to : row.c < to))))
    .sort((a, b) => compareTokens(token(a), token(b)) || direction * order(a, b))
  const remaining = after === null ? wanted : wanted.filter((row) => {
    const samePartition = int(row.p).equals(after.key)
    if (!samePartition) return compareTokens(token(row), after.token) > 0
    if (after.clustering === null) return false
    const [c, d] = decodeClustering(after.clustering).map((value) => value.readInt32BE(0))
    return direction * order(row, { p: row.p, c: c!, d: d! }) > 0
  })
  const taken = new Map<number, number>()
  return remaining
    .filter((row) => {
      const count = taken.get(row.p) ?? 0
      taken.set(row.p, count + 1)
      return count < command.perPartitionLimit
    })
    .slice(0, command.limit)
}

interface Bounds {
  readonly from: number | null
  readonly fromInclusive: boolean
  readonly to: number | null
  readonly toInclusive: boolean
}

const small = fc.integer({ min: 0, max: 4 })
const plainRow = fc.record({ p: fc.integer({ min: 0, max: 6 }), c: small, d: small })
const rowsArbitrary = fc.uniqueArray(plainRow, { maxLength: 40, selector: (row) => JSON.stringify(row) })
const bounds = fc.record({ from: fc.option(small), fromInclusive: fc.boolean(), to: fc.option(small), toInclusive: fc.boolean() })
const limit = fc.oneof(fc.constant(NO_LIMIT), fc.integer({ min: 1, max: 8 }))
const token = fc.oneof(fc.integer({ min: 0, max: 6 }).map((p) => tokenOf(int(p))), fc.record({ high: fc.integer(), low: fc.integer({ min: 0, max: 0xffffffff }) }))

const prefix = (value: number | null): Buffer => (value === null ? Buffer.alloc(0) : encodeClustering([int(value)]))

test("law: a read equals a filter over the plain list", () => {
  fc.assert(
    fc.property(
      rowsArbitrary, fc.option(fc.integer({ min: 0, max: 6 })), token, token, fc.option(bounds), fc.boolean(), limit, limit, fc.option(plainRow), fc.boolean(),
      (rows, partition, start, end, slice, reversed, all, perPartition, after, finished) => {
        const command: ReadCommand = {
          table: schema,
          nowSeconds: 0,
          target: partition === null ? { kind: "range", range: { start, end } } : { kind: "partition", token: tokenOf(int(partition)), key: int(partition) },
          slices: slice === null ? null : [{ start: prefix(slice.from), startInclusive: slice.fromInclusive, end: prefix(slice.to), endInclusive: slice.toInclusive }],
          reversed,
          limit: all,
          perPartitionLimit: perPartition,
          after: after === null ? null : { token: tokenOf(int(partition ?? after.p)), key: int(partition ?? after.p), clustering: finished ? null : clusteringOf(after) },
        }
        expect(read(rows as unknown as SystemRow[], command)).toEqual(expected(rows, command, slice === null ? null : [slice]))
      },
    ),
    { numRuns: 500 },
  )
})

test("law: pages put together are the whole", () => {
  fc.assert(
    fc.property(rowsArbitrary, fc.boolean(), fc.integer({ min: 1, max: 5 }), (rows, reversed, pageSize) => {
      const systemRows = rows as unknown as SystemRow[]
      const pages: PlainRow[] = []
      let after: ReadCommand["after"] = null
      for (;;) {
        const page: PlainRow[] = read(systemRows, { reversed, limit: pageSize, after })
        pages.push(...page)
        const last = page.at(-1)
        if (last === undefined) break
        after = { token: tokenOf(int(last.p)), key: int(last.p), clustering: clusteringOf(last) }
      }
      expect(pages).toEqual(read(systemRows, { reversed }))
    }),
    { numRuns: 100 },
  )
})

test("a sink that says stop gets nothing more", () => {
  const rows = [1, 2, 3].map((c) => ({ p: 1, c, d: 0 }))
  expect(read(rows, {}, 2)).toHaveLength(2)
})

test("collections are cells in path order, and null columns are absent", () => {
  const table = new VirtualRows(schema, { rows: () => [{ p: 1, c: 1, d: 1, s: ["b", "a", "b"], m: new Map([["y", 2], ["x", 1]]) }] })
  const cells: string[] = []
  const sink: RowSink = {
    partition() {},
    rangeTombstone() {},
    row(bytes, from, to) {
      for (const cell of decodeRow(new ByteReader(bytes, from, to)).cells) cells.push(`${schema.columnById[cell.column]!.name} ${Buffer.from(cell.path!).toString()} ${Buffer.from(cell.value!).toString("hex")}`)
      return true
    },
    partitionEnd() {},
  }
  table.read({ table: schema, nowSeconds: 0, target: { kind: "range", range: FULL_RANGE }, slices: null, reversed: false, limit: NO_LIMIT, perPartitionLimit: NO_LIMIT, after: null }, sink)
  expect(cells).toEqual(["m x 00000001", "m y 00000002", "s a ", "s b "])
})

test("rows are encoded once for each version", () => {
  let asked = 0
  let version = {}
  const table = new VirtualRows(schema, {
    rows: () => {
      asked++
      return [{ p: 1, c: 1, d: 1 }]
    },
    version: () => version,
  })
  const sink: RowSink = { partition() {}, rangeTombstone() {}, row: () => true, partitionEnd() {} }
  const command: ReadCommand = { table: schema, nowSeconds: 0, target: { kind: "range", range: FULL_RANGE }, slices: null, reversed: false, limit: NO_LIMIT, perPartitionLimit: NO_LIMIT, after: null }
  table.read(command, sink)
  table.read(command, sink)
  expect(asked).toBe(1)
  version = {}
  table.read(command, sink)
  expect(asked).toBe(2)
})
