// What the tests of storage share: a table, mutations, and a sink that writes down what it is told.
import { Buffer } from "../runtime/pure.ts"
import { ByteReader } from "../data/bytes.ts"
import type { CqlType, NativeTypeName } from "../data/cql-type.ts"
import type { RowSink } from "../data/local-store.ts"
import { MutationWriter } from "../data/mutation.ts"
import { NO_LIMIT, type ClusteringSlice, type ReadCommand } from "../data/read-command.ts"
import { resolveTable } from "../data/resolve-schema.ts"
import { CELL_KIND, type Cell, type Deletion, type RangeTombstone, type Row } from "../data/row.ts"
import { decodeClustering, decodeRow, encodeClustering } from "../data/row-format.ts"
import type { ColumnDescriptor, ColumnKind, TableSchema } from "../data/schema.ts"
import { DEFAULT_TABLE_OPTIONS } from "../data/table-options.ts"
import { FULL_RANGE, tokenOf } from "../data/token.ts"
import type { Token, TokenRange } from "../data/topology.ts"

/** Columns of the test table. */
export const COLUMN = { key: 0, clustering: 1, fixed: 2, a: 3, b: 4, c: 5 } as const

function column(id: number, name: string, type: NativeTypeName, kind: ColumnKind, position = -1, reversed = false): ColumnDescriptor {
  return { id, name, type: { kind: "native", name: type }, kind, position, reversed, hidden: null }
}

/** Nothing is ever purged: tests write deletions at times of their own. */
const NEVER_PURGED_SECONDS = 2 ** 31 - 1

/** CREATE TABLE t (key text, clustering int, fixed text STATIC, a text, b text, c set<text>, PRIMARY KEY (key, clustering)). */
export function testTable({ id = 1000, reversed = false, views = [], compressed = true }: { id?: number; reversed?: boolean; views?: readonly TableSchema[]; compressed?: boolean } = {}): TableSchema {
  const set: CqlType = { kind: "set", element: { kind: "native", name: "text" }, frozen: false }
  const columns = [
    column(COLUMN.key, "key", "text", "partition_key", 0), column(COLUMN.clustering, "clustering", "int", "clustering", 0, reversed),
    column(COLUMN.fixed, "fixed", "text", "static"), column(COLUMN.a, "a", "text", "regular"), column(COLUMN.b, "b", "text", "regular"),
    { ...column(COLUMN.c, "c", "text", "regular"), type: set },
  ]
  const kept = { ...DEFAULT_TABLE_OPTIONS, gcGraceSeconds: NEVER_PURGED_SECONDS }
  const options = compressed ? kept : { ...kept, compression: { enabled: "false" } }
  return resolveTable(
    { id, uuid: "00000000-0000-0000-0000-000000000000", keyspace: "ks", name: `t${id}`, columns, nextColumnId: 6, droppedColumns: [], options, view: null, epoch: 1, truncationEpoch: 0 },
    views,
  )
}

/** The encoded clustering (or bound) of an integer; none: the open bound. */
export function clusteringOf(value: number | null): Buffer {
  if (value === null) return Buffer.alloc(0)
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return encodeClustering([bytes])
}

export function slice(start: number | null, end: number | null, startInclusive = true, endInclusive = true): ClusteringSlice {
  return { start: clusteringOf(start), startInclusive, end: clusteringOf(end), endInclusive }
}

export function deletionAt(timestamp: number, localDeletionTime = timestamp): Deletion {
  return { timestampHigh: 0, timestampLow: timestamp, localDeletionTime }
}

export interface CellSpec {
  readonly column: number
  readonly path?: string
  /** Absent: a tombstone. */
  readonly value?: string
  readonly ttl?: number
  readonly expiresAt?: number
}

export interface RowSpec {
  /** Null: the static row. */
  readonly clustering: number | null
  readonly timestamp: number
  readonly marker?: boolean
  /** Deletes the row at this timestamp. */
  readonly deletion?: number
  /** Deletes what the set column held, at this timestamp. */
  readonly setDeletion?: number
  readonly cells?: readonly CellSpec[]
}

export function rowOf({ clustering, timestamp, marker = false, deletion, setDeletion, cells = [] }: RowSpec): Row {
  const made = cells.map((cell): Cell => {
    const kind = cell.value === undefined ? CELL_KIND.tombstone : cell.ttl === undefined ? CELL_KIND.plain : CELL_KIND.expiring
    return {
      column: cell.column, path: cell.path === undefined ? null : Buffer.from(cell.path), kind, timestampHigh: 0, timestampLow: timestamp,
      ttlSeconds: cell.ttl ?? 0, expiresAt: cell.expiresAt ?? (kind === CELL_KIND.tombstone ? timestamp : 0), value: cell.value === undefined ? null : Buffer.from(cell.value),
    }
  })
  return {
    isStatic: clustering === null,
    clustering: clusteringOf(clustering),
    marker: marker ? { timestampHigh: 0, timestampLow: timestamp, ttlSeconds: 0, expiresAt: 0 } : null,
    deletion: deletion === undefined ? null : deletionAt(deletion),
    complexDeletions: setDeletion === undefined ? [] : [{ column: COLUMN.c, deletion: deletionAt(setDeletion) }],
    cells: made.toSorted((x, y) => x.column - y.column || Buffer.compare(x.path ?? Buffer.alloc(0), y.path ?? Buffer.alloc(0))),
  }
}

export interface MutationSpec {
  readonly key: string
  readonly table?: TableSchema
  readonly deletion?: number
  readonly tombstones?: readonly RangeTombstone[]
  readonly rows?: readonly RowSpec[]
}

export function mutationOf({ key, table, deletion, tombstones = [], rows = [] }: MutationSpec): Buffer {
  const writer = new MutationWriter()
  const bytes = Buffer.from(key)
  writer.begin(bytes, 0, bytes.length)
  writer.beginUpdate(table?.id ?? 1000)
  if (deletion !== undefined) writer.partitionDeletion(deletionAt(deletion))
  for (const row of rows) if (row.clustering === null) writer.row(rowOf(row))
  for (const tombstone of tombstones) writer.rangeTombstone(tombstone)
  for (const row of rows) if (row.clustering !== null) writer.row(rowOf(row))
  writer.endUpdate()
  return Buffer.from(writer.end())
}

/** A row with one cell in column `a`. */
export function simplePut(key: string, clustering: number, timestamp: number, value: string): Buffer {
  return mutationOf({ key, rows: [{ clustering, timestamp, marker: true, cells: [{ column: COLUMN.a, value }] }] })
}

export interface ReadSpec {
  readonly table: TableSchema
  /** Null: the whole ring. */
  readonly key?: string | null
  readonly range?: TokenRange
  readonly slices?: readonly ClusteringSlice[] | null
  readonly reversed?: boolean
  readonly limit?: number
  readonly perPartitionLimit?: number
  readonly nowSeconds?: number
  readonly after?: ReadCommand["after"]
}

export function commandOf({ table, key = null, range = FULL_RANGE, slices = null, reversed = false, limit = NO_LIMIT, perPartitionLimit = NO_LIMIT, nowSeconds = 0, after = null }: ReadSpec): ReadCommand {
  const bytes = Buffer.from(key ?? "")
  return {
    table, nowSeconds, slices, reversed, limit, perPartitionLimit, after,
    target: key === null ? { kind: "range", range } : { kind: "partition", token: tokenOf(bytes), key: bytes },
  }
}

/** Writes down what it is told, one line per call. */
export class TextSink implements RowSink {
  readonly lines: string[] = []
  /** The last row (not a static one), to go on from. */
  after: NonNullable<ReadCommand["after"]> | null = null
  #token: Token = { high: 0, low: 0 }
  #key: Buffer = Buffer.alloc(0)

  partition(token: Token, key: Uint8Array, deletion: Deletion | null): void {
    this.#token = token
    this.#key = Buffer.from(key)
    this.lines.push(`${this.#key.toString()}${deletion === null ? "" : ` deleted@${deletion.timestampLow}`}`)
  }
  rangeTombstone({ start, startInclusive, end, endInclusive, deletion }: RangeTombstone): void {
    this.lines.push(`  ${startInclusive ? "[" : "("}${clusteringText(start)}, ${clusteringText(end)}${endInclusive ? "]" : ")"} deleted@${deletion.timestampLow}`)
  }
  row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    const reader = new ByteReader(bytes, from, to)
    const row = decodeRow(reader)
    if (reader.at !== to) throw new Error(`a row of ${to - from} bytes ends after ${reader.at - from}`)
    if (!row.isStatic) this.after = { token: this.#token, key: this.#key, clustering: Buffer.from(row.clustering) }
    this.lines.push(`  ${rowText(row)}${live ? "" : " (dead)"}`)
    return true
  }
  partitionEnd(): void {
    this.lines.push("  .")
  }
}

function clusteringText(clustering: Uint8Array): string {
  return decodeClustering(clustering).map((value) => String(value.readInt32BE())).join(",")
}

export function rowText({ isStatic, clustering, marker, deletion, complexDeletions, cells }: Row): string {
  const parts = [isStatic ? "static" : clusteringText(clustering)]
  if (marker !== null) parts.push(`marker@${marker.timestampLow}${marker.expiresAt === 0 ? "" : `x${marker.expiresAt}`}`)
  if (deletion !== null) parts.push(`deleted@${deletion.timestampLow}`)
  for (const complex of complexDeletions) parts.push(`${complex.column}:deleted@${complex.deletion.timestampLow}`)
  for (const { column: id, path, kind, timestampLow, expiresAt, value } of cells) {
    const name = `${id}${path === null ? "" : `[${Buffer.from(path).toString()}]`}`
    const text = value === null ? "deleted" : Buffer.from(value).toString()
    parts.push(`${name}=${text}@${timestampLow}${kind === CELL_KIND.expiring ? `x${expiresAt}` : ""}`)
  }
  return parts.join(" ")
}
