// system.compaction_history: a row for each compaction that ended well. It goes through the store like a client's and is
// gone after the table's default TTL, a week.
import type { CompactionRecord } from "../../data/local-store.ts"
import { MutationWriter } from "../../data/mutation.ts"
import { CELL_KIND, type Cell } from "../../data/row.ts"
import type { TableSchema } from "../../data/schema.ts"
import { highOf, lowOf } from "../../data/timestamp.ts"
import type { CqlValue } from "../../data/types/operations.ts"
import { encodeValue } from "../../data/types/type-operations.ts"
import { Buffer, assert } from "../../runtime/pure.ts"
import { BIGINT, INT } from "./system-types.ts"

const GREGORIAN_TO_UNIX_STEPS = 122_192_928_000_000_000n
const NO_BYTES = Buffer.alloc(0)

/** A version 1 UUID of a compaction: its start, and what tells it from others that started then. */
export function taskUuid(id: string, startedAtMicros: number): string {
  const steps = (BigInt(startedAtMicros) * 10n + GREGORIAN_TO_UNIX_STEPS).toString(16).padStart(15, "0")
  // The variant, and the multicast bit: the node number is no network card's.
  const sequence = ((Number.parseInt(id.slice(0, 4), 16) & 0x3fff) | 0x8000).toString(16)
  const node = ((Number.parseInt(id.slice(4, 6), 16) | 1).toString(16)).padStart(2, "0") + id.slice(6, 16)
  return `${steps.slice(7)}-${steps.slice(3, 7)}-1${steps.slice(0, 3)}-${sequence}-${node}`
}

/** Null for the history's own compactions: they would never end. */
export function historyMutation(table: TableSchema, record: CompactionRecord, nowMicros: number): Buffer | null {
  if (record.keyspace === table.keyspace && record.table === table.name) return null
  const { defaultTimeToLive } = table.descriptor.options
  const dying = { timestampHigh: highOf(nowMicros), timestampLow: lowOf(nowMicros), ttlSeconds: defaultTimeToLive, expiresAt: Math.floor(nowMicros / 1e6) + defaultTimeToLive }
  const cell = (name: string, path: Buffer | null, value: Buffer): Cell => {
    const column = table.regulars.find((other) => other.name === name)
    assert(column !== undefined, `compaction_history has a column ${name}`)
    return { column: column.id, path, kind: CELL_KIND.expiring, ...dying, value }
  }
  const values: Readonly<Record<string, CqlValue>> = {
    keyspace_name: record.keyspace, columnfamily_name: record.table, compacted_at: BigInt(Math.floor(record.endedAtMicros / 1000)), bytes_in: BigInt(record.bytesIn), bytes_out: BigInt(record.bytesOut),
    compaction_properties: new Map([["compaction_type", "Compaction"], ["reason", record.reason], ["strategy", record.strategy]]),
  }
  const cells = table.regulars.flatMap(({ name, type }) => (values[name] === undefined ? [] : [cell(name, null, encodeValue(type, values[name]))]))
  for (const [index, partitions] of record.merged.entries()) {
    if (partitions > 0) cells.push(cell("rows_merged", encodeValue(INT, index + 1), encodeValue(BIGINT, BigInt(partitions))))
  }
  const key = encodeValue((table.partitionKey[0] as TableSchema["partitionKey"][number]).type, taskUuid(record.id, record.startedAtMicros))
  const writer = new MutationWriter(512)
  writer.begin(key, 0, key.length)
  writer.beginUpdate(table.id)
  writer.row({
    isStatic: false, clustering: NO_BYTES, marker: dying, deletion: null, complexDeletions: [],
    cells: cells.toSorted((a, b) => a.column - b.column || Buffer.compare(a.path ?? NO_BYTES, b.path ?? NO_BYTES)),
  })
  writer.endUpdate()
  return Buffer.from(writer.end())
}
