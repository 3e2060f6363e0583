// A virtual table over a plain list of rows.
//
// 1. `rows` gives the rows as JavaScript values by column name; a column that is left out or null is null.
// 2. They are encoded in the row format, grouped into partitions, and sorted: partitions by token, then key; rows by clustering.
// 3. `read` walks them as a store would: token ranges, slices, reverse order, paging, limits.
//
// Encoding a large schema costs milliseconds and drivers read it at every connect, so the result is kept as long as
// `version` gives the same object. Every row has a marker and timestamp 0; none has tombstones or a static part.
import type { VirtualTable } from "../../cql/virtual-table.ts"
import { type CqlType, isMultiCell } from "../../data/cql-type.ts"
import type { RowSink } from "../../data/local-store.ts"
import { serializePartitionKey } from "../../data/partition-key.ts"
import type { ClusteringSlice, ReadCommand } from "../../data/read-command.ts"
import { clusteringEnd, clusteringStart, encodeClustering, rowBytes } from "../../data/row-format.ts"
import { CELL_KIND, type Cell } from "../../data/row.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { compareTokens, rangeContains, tokenOf } from "../../data/token.ts"
import type { Token } from "../../data/topology.ts"
import { sortedElements } from "../../data/types/collections.ts"
import type { CqlValue } from "../../data/types/operations.ts"
import { compareValues, encodeValue } from "../../data/types/type-operations.ts"
import { Buffer, assert } from "../../runtime/pure.ts"

export type SystemRow = Readonly<Record<string, CqlValue | null | undefined>>

export interface VirtualRowsSource {
  rows(): Iterable<SystemRow>
  /** The rows are the same as long as this is the same; undefined: ask every time. */
  version?(): unknown
}

interface Partition {
  readonly token: Token
  readonly key: Buffer
  /** One row each, in clustering order. */
  readonly rows: readonly Buffer[]
}

export class VirtualRows implements VirtualTable {
  readonly schema: TableSchema
  readonly #source: VirtualRowsSource
  #version: unknown = undefined
  #partitions: readonly Partition[] = []

  constructor(schema: TableSchema, source: VirtualRowsSource) {
    assert(schema.statics.length === 0, `${schema.keyspace}.${schema.name} has no static columns`)
    this.schema = schema
    this.#source = source
  }

  read(command: ReadCommand, sink: RowSink): void {
    const walk = new Walk(command, sink)
    for (const partition of this.#targets(command)) {
      if (!walk.partition(partition)) return
    }
  }

  #current(): readonly Partition[] {
    const version = this.#source.version?.()
    if (version === undefined || version !== this.#version) {
      this.#partitions = encodePartitions(this.schema, this.#source.rows())
      this.#version = version
    }
    return this.#partitions
  }

  #targets(command: ReadCommand): readonly Partition[] {
    const { target, after } = command
    const partitions = this.#current()
    if (target.kind === "partition") return partitions.filter((partition) => partition.key.equals(target.key))
    return partitions.filter(({ token, key }) => {
      if (!rangeContains(target.range, token.high, token.low)) return false
      if (after === null) return true
      const order = compareTokens(token, after.token) || Buffer.compare(key, after.key)
      return after.clustering === null ? order > 0 : order >= 0
    })
  }
}

/** The state of one read: what is left of the limits. */
class Walk {
  readonly #command: ReadCommand
  readonly #sink: RowSink
  #left: number

  constructor(command: ReadCommand, sink: RowSink) {
    this.#command = command
    this.#sink = sink
    this.#left = command.limit
  }

  /** False when the read is over. */
  partition(partition: Partition): boolean {
    const rows = this.#rows(partition)
    if (rows.length === 0) return this.#left > 0
    if (this.#left <= 0) return false
    const sink = this.#sink
    sink.partition(partition.token, partition.key, null)
    const count = Math.min(rows.length, this.#command.perPartitionLimit, this.#left)
    for (let index = 0; index < count; index++) {
      const row = rows[index] as Buffer
      if (!sink.row(row, 0, row.length, true)) return false
    }
    this.#left -= count
    sink.partitionEnd()
    return this.#left > 0
  }

  #rows(partition: Partition): readonly Buffer[] {
    const { table, slices, reversed, after } = this.#command
    let rows = partition.rows
    if (slices !== null) rows = rows.filter((row) => slices.some((slice) => inSlice(table, row, slice)))
    if (after !== null && partition.key.equals(after.key)) {
      const clustering = after.clustering
      if (clustering === null) return []
      rows = rows.filter((row) => {
        const order = compareWith(table, row, clustering)
        return reversed ? order < 0 : order > 0
      })
    }
    return reversed ? rows.toReversed() : rows
  }
}

function compareWith(table: TableSchema, row: Buffer, bound: Uint8Array): number {
  return table.compareClustering(row, clusteringStart(0), clusteringEnd(row, 0), bound, 0, bound.length)
}

function inSlice(table: TableSchema, row: Buffer, slice: ClusteringSlice): boolean {
  if (slice.start.length > 0) {
    const order = compareWith(table, row, slice.start)
    if (slice.startInclusive ? order < 0 : order <= 0) return false
  }
  if (slice.end.length > 0) {
    const order = compareWith(table, row, slice.end)
    if (slice.endInclusive ? order > 0 : order >= 0) return false
  }
  return true
}

function encodePartitions(schema: TableSchema, rows: Iterable<SystemRow>): readonly Partition[] {
  const partitions = new Map<string, { token: Token; key: Buffer; rows: Buffer[] }>()
  for (const row of rows) {
    const key = serializePartitionKey(schema.partitionKey.map((column) => keyValue(column, row)))
    const name = key.toString("latin1")
    let partition = partitions.get(name)
    if (partition === undefined) {
      partition = { token: tokenOf(key), key, rows: [] }
      partitions.set(name, partition)
    }
    partition.rows.push(encodeSystemRow(schema, row))
  }
  const sorted = [...partitions.values()].sort((a, b) => compareTokens(a.token, b.token) || Buffer.compare(a.key, b.key))
  for (const partition of sorted) {
    partition.rows.sort((a, b) => schema.compareClustering(a, clusteringStart(0), clusteringEnd(a, 0), b, clusteringStart(0), clusteringEnd(b, 0)))
  }
  return sorted
}

function keyValue(column: ColumnSchema, row: SystemRow): Buffer {
  const value = row[column.name]
  assert(value !== undefined && value !== null, `key column ${column.name} has a value`)
  return encodeValue(column.type, value)
}

function encodeSystemRow(schema: TableSchema, row: SystemRow): Buffer {
  const cells: Cell[] = []
  const columns = schema.regulars.toSorted((a, b) => a.id - b.id)
  for (const column of columns) {
    const value = row[column.name]
    if (value === undefined || value === null) continue
    if (isMultiCell(column.type)) {
      for (const [path, element] of encodeElements(column.type, value)) cells.push(cell(column.id, path, element))
    } else {
      cells.push(cell(column.id, null, encodeValue(column.type, value)))
    }
  }
  return rowBytes({
    isStatic: false,
    clustering: encodeClustering(schema.clustering.map((column) => keyValue(column, row))),
    marker: { timestampHigh: 0, timestampLow: 0, ttlSeconds: 0, expiresAt: 0 },
    deletion: null,
    complexDeletions: [],
    cells,
  })
}

/** The cells of a set or map that is not frozen, in path order: path and value. */
function encodeElements(type: CqlType, value: CqlValue): (readonly [Buffer, Buffer])[] {
  if (type.kind === "map") {
    assert(value instanceof Map, "a map is a Map")
    const compare = compareValues(type.key)
    return [...(value as ReadonlyMap<CqlValue, CqlValue>)]
      .map(([key, content]) => [encodeValue(type.key, key), encodeValue(type.value, content)] as const)
      .sort(([a], [b]) => compare(a, 0, a.length, b, 0, b.length))
  }
  assert(type.kind === "set" && Array.isArray(value), "a set is an array; there are no lists that are not frozen here")
  const elements = (value as readonly CqlValue[]).map((element) => encodeValue(type.element, element))
  return sortedElements(elements, compareValues(type.element)).map((path) => [path, Buffer.alloc(0)])
}

function cell(column: number, path: Buffer | null, value: Buffer): Cell {
  return { column, path, kind: CELL_KIND.plain, timestampHigh: 0, timestampLow: 0, ttlSeconds: 0, expiresAt: 0, value }
}
