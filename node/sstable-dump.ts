// An SSTable as JSON, in the form that Cassandra's sstabledump prints: what the file holds, deletions and expired cells
// too, with nothing merged and nothing hidden.
//
//   [ { "table kind": "REGULAR",
//       "partition": { "key": ["1"], "deletion_info": {...} },
//       "rows": [ { "type": "static_block" | "row", "clustering": [...], "liveness_info": {...}, "deletion_info": {...}, "cells": [...] },
//                 { "type": "range_tombstone", "start": {...}, "end": {...}, "deletion_info": {...} } ] } ]
//
// Cells tell their timestamp where it is not the row's. Values are what toJson() gives; a key's parts are their text.
import { basename, dirname, resolve } from "node:path"
import { jsonText } from "../cql/functions/value-text.ts"
import { ByteReader } from "../data/bytes.ts"
import type { CqlType } from "../data/cql-type.ts"
import { splitPartitionKey } from "../data/partition-key.ts"
import { resolveTable } from "../data/resolve-schema.ts"
import { decodeClustering, decodeRow } from "../data/row-format.ts"
import { CELL_KIND, type Cell, type Deletion, type Marker, type RangeTombstone, type Row } from "../data/row.ts"
import type { ColumnSchema, TableDescriptor, TableSchema } from "../data/schema.ts"
import { MIN_TOKEN } from "../data/token.ts"
import { Buffer } from "../runtime/pure.ts"
import { RealDisk } from "../runtime/real/real-disk.ts"
import { BlockCache } from "../storage/sstable/block-cache.ts"
import { EVERY_ROW } from "../storage/read/partition-merge.ts"
import type { PartitionSource } from "../storage/read/partition-source.ts"
import { SSTableCursor } from "../storage/sstable/sstable-source.ts"
import { SSTable } from "../storage/sstable/sstable.ts"
import { Fragments } from "../storage/read/row-merge.ts"
import type { Membership } from "./membership.ts"
import { readStateFile } from "./state-file.ts"
import { systemKeyspaces } from "./system-tables/system-keyspaces.ts"

const CACHE_BYTES = 1 << 20

export interface DumpOptions {
  /** Only the keys of partitions, one a line. */
  readonly keysOnly: boolean
}

/** Gives the text piece by piece. Throws what opening and reading an SSTable throws, and an Error when its table cannot be found. */
export function* dumpSSTable(path: string, options: DumpOptions): Generator<string> {
  const disk = new RealDisk()
  const table = resolveTable(findTable(disk, resolve(path)))
  const sstable = SSTable.open(disk, 0, path, new BlockCache(CACHE_BYTES), null)
  try {
    const cursor = new SSTableCursor(sstable, table)
    let separator = options.keysOnly ? "" : "[\n"
    let found = cursor.seek(MIN_TOKEN.high, MIN_TOKEN.low, null, false)
    for (; found; found = cursor.next()) {
      const key = keyTexts(table, cursor.key)
      if (options.keysOnly) yield `${JSON.stringify(key)}\n`
      else {
        yield separator
        yield* partitionText(table, key, cursor.open())
        separator = ",\n"
      }
    }
    if (!options.keysOnly) yield separator === "[\n" ? "[ ]\n" : "\n]\n"
  } finally {
    sstable.retire()
  }
}

/** By where the file lies: in a node's data directory, or in a snapshot, which tells its table. */
function findTable(disk: RealDisk, path: string): TableDescriptor {
  const folder = dirname(path)
  const snapshot = `${folder}/snapshot.json`
  if (disk.exists(snapshot)) {
    const file = disk.readFile(snapshot)
    const bytes = Buffer.alloc(file.size)
    file.readNow(bytes, 0)
    file.close()
    return (JSON.parse(bytes.toString()) as { table: TableDescriptor }).table
  }
  const id = Number(basename(folder))
  const system = systemKeyspaces().flatMap(({ tables }) => [...tables.values()]).find((table) => table.id === id)
  if (system !== undefined) return system.descriptor
  const state = readStateFile(disk, resolve(folder, "../../../metadata")) as Membership | null
  const table = state?.state.schema.keyspaces.flatMap(({ tables }) => tables).find((each) => each.id === id)
  if (table === undefined) throw new Error(`${path} lies neither in a node's data directory nor in a snapshot: its table's columns are not known`)
  return table
}

function* partitionText(table: TableSchema, key: readonly string[], source: PartitionSource): Generator<string> {
  const deletion = source.deletion === null ? "" : `, "deletion_info": ${deletionInfo(source.deletion)}`
  yield `{\n  "table kind": "${table.kind === "view" ? "VIEW" : "REGULAR"}",\n  "partition": { "key": ${JSON.stringify(key)}${deletion} },\n  "rows": [`
  let separator = "\n    "
  for (const item of itemsOf(table, source)) {
    yield separator + item
    separator = ",\n    "
  }
  yield separator.startsWith(",") ? "\n  ]\n}" : "]\n}"
}

function* itemsOf(table: TableSchema, source: PartitionSource): Generator<string> {
  const fragments = new Fragments()
  source.addStatic(fragments)
  const [staticBytes] = fragments.buffers
  if (staticBytes !== undefined) yield rowText(table, decodeRow(new ByteReader(staticBytes, fragments.at[0] as number)))
  const tombstones: RangeTombstone[] = []
  source.addRangeTombstones(tombstones)
  for (const tombstone of tombstones) yield rangeTombstoneText(table, tombstone)
  source.openRows(EVERY_ROW, false)
  while (source.nextRow()) yield rowText(table, decodeRow(new ByteReader(source.bytes, source.at)))
}

function rowText(table: TableSchema, row: Row): string {
  const parts = [`"type": ${row.isStatic ? '"static_block"' : '"row"'}`]
  if (!row.isStatic && table.clustering.length > 0) parts.push(`"clustering": ${clusteringText(table, row.clustering)}`)
  if (row.marker !== null) parts.push(`"liveness_info": ${livenessInfo(row.marker)}`)
  if (row.deletion !== null) parts.push(`"deletion_info": ${deletionInfo(row.deletion)}`)
  const cells = [
    ...row.complexDeletions.map(({ column, deletion }) => ({ column, text: `{ "name": ${nameOf(table, column)}, "deletion_info": ${deletionInfo(deletion)} }` })),
    ...row.cells.map((cell) => ({ column: cell.column, text: cellText(table, row.marker, cell) })),
  ]
  // A deletion of a whole collection stands before its elements.
  parts.push(`"cells": [${cells.length === 0 ? "" : ` ${cells.toSorted((a, b) => a.column - b.column).map(({ text }) => text).join(", ")} `}]`)
  return `{ ${parts.join(", ")} }`
}

function cellText(table: TableSchema, marker: Marker | null, cell: Cell): string {
  const column = table.columnById[cell.column] ?? null
  const parts = [`"name": ${nameOf(table, cell.column)}`]
  const path = cell.path === null ? null : Buffer.from(cell.path)
  if (path !== null) parts.push(`"path": [${JSON.stringify(pathText(column, path))}]`)
  if (cell.kind === CELL_KIND.tombstone) parts.push(`"deletion_info": { "local_delete_time": "${instant(cell.expiresAt)}" }`)
  else parts.push(`"value": ${valueText(column, path, Buffer.from(cell.value as Uint8Array))}`)
  const hasOwnTime = marker === null || marker.timestampHigh !== cell.timestampHigh || marker.timestampLow !== cell.timestampLow
  if (hasOwnTime) parts.push(`"tstamp": ${micros(cell.timestampHigh, cell.timestampLow)}`)
  if (cell.kind === CELL_KIND.expiring) parts.push(`"ttl": ${cell.ttlSeconds}, "expires_at": "${instant(cell.expiresAt)}"`)
  return `{ ${parts.join(", ")} }`
}

/** Columns that were dropped are told by their id: their type may be gone as well. */
function nameOf(table: TableSchema, column: number): string {
  return JSON.stringify(table.columnById[column]?.name ?? `dropped column ${column}`)
}

function valueText(column: ColumnSchema | null, path: Buffer | null, value: Buffer): string {
  if (column === null) return JSON.stringify(`0x${value.toString("hex")}`)
  const { type } = column
  if (path === null) return jsonText(type, value)
  if (type.kind === "map") return jsonText(type.value, value)
  if (type.kind === "list") return jsonText(type.element, value)
  if (type.kind === "udt") return jsonText(fieldOf(type, path).type, value)
  return JSON.stringify(value.toString("hex"))
}

function pathText(column: ColumnSchema | null, path: Buffer): string {
  const type = column?.type
  const text = type?.kind === "map" ? jsonText(type.key, path) : type?.kind === "set" ? jsonText(type.element, path) : type?.kind === "udt" ? fieldOf(type, path).name : path.toString("hex")
  return plain(text)
}

function fieldOf(type: CqlType & { kind: "udt" }, path: Buffer): { name: string; type: CqlType } {
  const field = type.fields[path.readUInt16BE(0)]
  return field ?? { name: `field ${path.readUInt16BE(0)}`, type: { kind: "native", name: "blob" } }
}

function rangeTombstoneText(table: TableSchema, { start, startInclusive, end, endInclusive, deletion }: RangeTombstone): string {
  const bound = (prefix: Uint8Array, isInclusive: boolean): string => `{ "type": "${isInclusive ? "inclusive" : "exclusive"}", "clustering": ${clusteringText(table, prefix)} }`
  return `{ "type": "range_tombstone", "start": ${bound(start, startInclusive)}, "end": ${bound(end, endInclusive)}, "deletion_info": ${deletionInfo(deletion)} }`
}

function clusteringText(table: TableSchema, clustering: Uint8Array): string {
  const values = decodeClustering(clustering)
  return `[ ${table.clustering.map(({ type }, index) => (values[index] === undefined ? '"*"' : jsonText(type, values[index]))).join(", ")} ]`
}

function keyTexts(table: TableSchema, key: Buffer): string[] {
  return splitPartitionKey(table.partitionKey.length, key).map((value, index) => plain(jsonText((table.partitionKey[index] as ColumnSchema).type, value)))
}

/** JSON of a text without its quotes; other JSON as it is. */
function plain(json: string): string {
  return json.startsWith('"') ? (JSON.parse(json) as string) : json
}

function livenessInfo(marker: Marker): string {
  const expiry = marker.expiresAt === 0 ? "" : `, "ttl": ${marker.ttlSeconds}, "expires_at": "${instant(marker.expiresAt)}"`
  return `{ "tstamp": ${micros(marker.timestampHigh, marker.timestampLow)}${expiry} }`
}

function deletionInfo({ timestampHigh, timestampLow, localDeletionTime }: Deletion): string {
  return `{ "marked_deleted": ${micros(timestampHigh, timestampLow)}, "local_delete_time": "${instant(localDeletionTime)}" }`
}

/** All 64 bits: not a number of JavaScript. */
function micros(high: number, low: number): string {
  return ((BigInt(high) << 32n) | BigInt(low)).toString()
}

function instant(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
