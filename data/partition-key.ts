// Partition keys as Cassandra serialises them: one column is the value itself, several are { u16 size, content, u8 0 }
// each. The limit is 65,535 bytes in all, which the statement layer checks before it comes here.
import { Buffer, assert } from "../runtime/pure.ts"
import { CorruptionError } from "./bytes.ts"
import type { TableSchema } from "./schema.ts"

export const MAX_KEY_SIZE = 0xffff

/** The values, in key order, as one key. With one value: a view of it. */
export function serializePartitionKey(values: readonly Uint8Array[]): Buffer {
  const only = values.length === 1 ? values[0] : undefined
  if (only !== undefined) return Buffer.isBuffer(only) ? only : Buffer.from(only.buffer, only.byteOffset, only.byteLength)
  let size = 0
  for (const value of values) {
    assert(value.length <= MAX_KEY_SIZE, "a component of a partition key fits its 16-bit size")
    size += value.length + 3
  }
  const key = Buffer.allocUnsafe(size)
  let at = 0
  for (const value of values) {
    at = key.writeUInt16BE(value.length, at)
    key.set(value, at)
    at += value.length
    key[at++] = 0
  }
  return key
}

/** The values of a key of `columns` columns, as views. Throws CorruptionError. */
export function splitPartitionKey(columns: number, key: Uint8Array): Buffer[] {
  const bytes = Buffer.isBuffer(key) ? key : Buffer.from(key.buffer, key.byteOffset, key.byteLength)
  if (columns === 1) return [bytes]
  const values: Buffer[] = []
  let at = 0
  for (let column = 0; column < columns; column++) {
    if (at + 2 > bytes.length) throw new CorruptionError(`expected ${columns} components of a partition key, found ${column}`, at)
    const end = at + 2 + bytes.readUInt16BE(at)
    if (end >= bytes.length) throw new CorruptionError(`component ${column} of a partition key ends beyond it`, at)
    values.push(bytes.subarray(at + 2, end))
    at = end + 1
  }
  if (at !== bytes.length) throw new CorruptionError(`expected the end of a partition key of ${columns} components`, at)
  return values
}

/** The partition key's values, in key order, as views. Throws CorruptionError. */
export function partitionKeyValues(table: TableSchema, key: Uint8Array): Buffer[] {
  return splitPartitionKey(table.partitionKey.length, key)
}
