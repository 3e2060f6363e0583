// The rows of the storage benchmark: a key of 10 bytes and five texts of 34, about 200 bytes; engines that know no columns
// get the texts as one value.
import { encodeColumnsHeader } from "../data/row-format.ts"
import { MutationWriter } from "../data/mutation.ts"
import { resolveTable } from "../data/resolve-schema.ts"
import type { ColumnKind, TableOptions, TableSchema } from "../data/schema.ts"
import { DEFAULT_TABLE_OPTIONS } from "../data/table-options.ts"

const TEXT_BYTES = 34
const COLUMNS = 5
const VALUE_BYTES = COLUMNS * (TEXT_BYTES + 4)
const PRESENT = 0x75
const ABSENT = 0x76

/** The key that the engine is asked for; written anew by each call. */
export const key = Buffer.from("u000000000")

/** Writes key number `index` of `rows`: a multiplier without a common factor with the count visits every row once, in no order. */
export function setKey(index: number, rows: number, isPresent = true): void {
  key[0] = isPresent ? PRESENT : ABSENT
  let left = (index * 7_919_993) % rows
  for (let digit = 9; digit >= 1; digit--) {
    key[digit] = 48 + (left % 10)
    left = Math.floor(left / 10)
  }
}

/**
 * Texts of which each half compresses well and half not at all, as names next to identifiers do. So many that no two rows
 * which lie near each other, in the order of keys or of tokens, share any.
 */
const TEXTS = ((): Buffer => {
  const bytes = Buffer.alloc(32 << 20)
  let random = 1
  for (let index = 0; index < bytes.length; index++) {
    random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fffffff
    bytes[index] = index % TEXT_BYTES < TEXT_BYTES / 2 ? 97 + (index % TEXT_BYTES) : 97 + ((random >>> 16) % 26)
  }
  return bytes
})()

function textsAt(index: number): number {
  return (index * COLUMNS * TEXT_BYTES) % (TEXTS.length - VALUE_BYTES)
}

/** The row's texts for an engine without columns. */
export function valueAt(index: number): Buffer {
  const from = textsAt(index)
  return TEXTS.subarray(from, from + VALUE_BYTES)
}

export function benchTable(options: Partial<TableOptions> = {}): TableSchema {
  const column = (id: number, name: string, kind: ColumnKind, position: number) =>
    ({ id, name, type: { kind: "native", name: "text" }, kind, position, reversed: false, hidden: null }) as const
  const columns = [column(0, "pk", "partition_key", 0), ...Array.from({ length: COLUMNS }, (_, index) => column(index + 1, `c${index}`, "regular", -1))]
  return resolveTable(
    {
      id: 1000, uuid: "00000000-0000-0000-0000-000000000000", keyspace: "bench", name: "rows", columns, nextColumnId: COLUMNS + 1, droppedColumns: [],
      options: { ...DEFAULT_TABLE_OPTIONS, ...options }, view: null, epoch: 1, truncationEpoch: 0,
    }, [],
  )
}

const HEADER = encodeColumnsHeader(Array.from({ length: COLUMNS }, (_, index) => index + 1))
const writer = new MutationWriter(64 * 1024)

/** The mutation that inserts row number `index`; valid until the next call. */
export function mutationAt(table: TableSchema, index: number, rows: number): Buffer {
  setKey(index, rows)
  writer.reset()
  writer.begin(key, 0, key.length)
  writer.beginUpdate(table.id)
  writer.beginSimpleRow(false, true)
  writer.simpleHeader(1, index + 1, HEADER)
  const texts = textsAt(index)
  for (let value = 0; value < COLUMNS; value++) writer.value(TEXTS, texts + value * TEXT_BYTES, TEXT_BYTES)
  writer.endRow()
  writer.endUpdate()
  writer.end()
  return writer.out.view()
}
