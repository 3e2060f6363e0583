// A small schema for tests of the distributed half, and mutations of it, without the language.
import { ByteReader } from "../data/bytes.ts"
import type { RowSink } from "../data/local-store.ts"
import { MutationWriter } from "../data/mutation.ts"
import { CELL_KIND, type Cell, type Deletion, type Row } from "../data/row.ts"
import { decodeClustering, decodeRow, encodeClustering } from "../data/row-format.ts"
import type { ColumnDescriptor, ColumnKind, KeyspaceDescriptor, SchemaDescriptor, TableDescriptor } from "../data/schema.ts"
import type { NativeTypeName } from "../data/cql-type.ts"
import { DEFAULT_TABLE_OPTIONS } from "../data/table-options.ts"
import { Buffer } from "../runtime/pure.ts"

export const TABLE_ID = 1000
export const VALUE_COLUMN = 3
const STATIC_COLUMN = 2

function column(id: number, name: string, type: NativeTypeName, kind: ColumnKind, position = -1): ColumnDescriptor {
  return { id, name, type: { kind: "native", name: type }, kind, position, reversed: false, hidden: null }
}

/** CREATE TABLE ks.t (k text, c int, s text STATIC, v text, PRIMARY KEY (k, c)) with this replication factor. */
export function testSchema(replicationFactor: number, options: Partial<TableDescriptor["options"]> = {}): SchemaDescriptor {
  const table: TableDescriptor = {
    id: TABLE_ID, uuid: "5a1c395e-b41f-11e5-9f22-ba0be0483c18", keyspace: "ks", name: "t", nextColumnId: 4, droppedColumns: [], view: null, epoch: 0, truncationEpoch: 0,
    columns: [
      column(0, "k", "text", "partition_key", 0), column(1, "c", "int", "clustering", 0), column(STATIC_COLUMN, "s", "text", "static"), column(VALUE_COLUMN, "v", "text", "regular"),
    ],
    options: { ...DEFAULT_TABLE_OPTIONS, ...options },
  }
  const keyspace: KeyspaceDescriptor = {
    name: "ks", durableWrites: true, types: [], tables: [table],
    replication: { class: "org.apache.cassandra.locator.SimpleStrategy", replication_factor: String(replicationFactor) },
  }
  return { keyspaces: [keyspace], nextTableId: TABLE_ID + 1 }
}

export function clusteringOf(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return encodeClustering([bytes])
}

function mutation(key: string, fill: (writer: MutationWriter) => void): Buffer {
  const writer = new MutationWriter()
  const bytes = Buffer.from(key)
  writer.begin(bytes, 0, bytes.length)
  writer.beginUpdate(TABLE_ID)
  fill(writer)
  writer.endUpdate()
  return Buffer.from(writer.end())
}

function row(clustering: number, part: Partial<Row>): Row {
  return { isStatic: false, clustering: clusteringOf(clustering), marker: null, deletion: null, complexDeletions: [], cells: [], ...part }
}

export function cellOf(value: string | null, timestamp: number, nowSeconds = 0, column = VALUE_COLUMN): Cell {
  return {
    column, path: null, kind: value === null ? CELL_KIND.tombstone : CELL_KIND.plain, timestampHigh: 0, timestampLow: timestamp, ttlSeconds: 0,
    expiresAt: value === null ? nowSeconds : 0, value: value === null ? null : Buffer.from(value),
  }
}

function deletion(timestamp: number, nowSeconds: number): Deletion {
  return { timestampHigh: 0, timestampLow: timestamp, localDeletionTime: nowSeconds }
}

/** INSERT. Timestamps are small numbers of microseconds. */
export function insert(key: string, clustering: number, value: string, timestamp: number): Buffer {
  const marker = { timestampHigh: 0, timestampLow: timestamp, ttlSeconds: 0, expiresAt: 0 }
  return mutation(key, (writer) => writer.row(row(clustering, { marker, cells: [cellOf(value, timestamp)] })))
}

export function insertStatic(key: string, value: string, timestamp: number): Buffer {
  const cells = [cellOf(value, timestamp, 0, STATIC_COLUMN)]
  return mutation(key, (writer) => writer.row({ isStatic: true, clustering: Buffer.alloc(0), marker: null, deletion: null, complexDeletions: [], cells }))
}

export function deleteRow(key: string, clustering: number, timestamp: number, nowSeconds: number): Buffer {
  return mutation(key, (writer) => writer.row(row(clustering, { deletion: deletion(timestamp, nowSeconds) })))
}

export function deletePartition(key: string, timestamp: number, nowSeconds: number): Buffer {
  return mutation(key, (writer) => writer.partitionDeletion(deletion(timestamp, nowSeconds)))
}

/** Both bounds inclusive. */
export function deleteRange(key: string, from: number, to: number, timestamp: number, nowSeconds: number): Buffer {
  return mutation(key, (writer) =>
    writer.rangeTombstone({ start: clusteringOf(from), startInclusive: true, end: clusteringOf(to), endInclusive: true, deletion: deletion(timestamp, nowSeconds) }),
  )
}

/** Collects live rows as "key/clustering=value". */
export class RowTexts implements RowSink {
  readonly rows: string[] = []
  #key = ""

  partition(_token: unknown, key: Uint8Array): void {
    this.#key = Buffer.from(key).toString()
  }
  rangeTombstone(): void {}
  row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    if (!live) return true
    const decoded = decodeRow(new ByteReader(bytes, from, to))
    const value = decoded.cells.find(({ column }) => column === VALUE_COLUMN || column === STATIC_COLUMN)?.value ?? null
    const place = decoded.isStatic ? "static" : String(decodeClustering(decoded.clustering)[0]?.readInt32BE(0))
    this.rows.push(`${this.#key}/${place}=${value === null ? "null" : Buffer.from(value).toString()}`)
    return true
  }
  partitionEnd(): void {}
}
