// Refuses rows that a view of their table could not hold: whose key there would be longer than a key may be. Only the
// client can be told; a replica takes whatever another one took.
import { InvalidRequestError } from "../../cql/errors.ts"
import { ByteReader } from "../../data/bytes.ts"
import { mutationKey, visitMutation } from "../../data/mutation.ts"
import { MAX_KEY_SIZE, partitionKeyValues } from "../../data/partition-key.ts"
import { FLAG, decodeClustering, decodeRow, itemFlags } from "../../data/row-format.ts"
import type { Schema, TableSchema } from "../../data/schema.ts"
import { viewKeyExcess } from "../../data/view-entry.ts"
import { viewShape } from "../../data/view-shape.ts"
import { Buffer } from "../../runtime/pure.ts"

const NO_VALUE = Buffer.alloc(0)
/** A mutation with everything of which a longer key can be made is longer than this; shorter ones need no check. */
export const SUSPECT_BYTES = MAX_KEY_SIZE - 256

/** Throws InvalidRequestError. `mutations`: `count` of them, one behind the other. */
export function checkViewKeys(mutations: Buffer, count: number, schema: Pick<Schema, "tableById">): void {
  if (mutations.length < SUSPECT_BYTES) return
  const reader = new ByteReader(mutations)
  for (let left = count; left > 0; left--) {
    const key = mutationKey(mutations.subarray(reader.at))
    let table: TableSchema | null = null
    visitMutation(reader, {
      update(id) {
        table = schema.tableById(id)
      },
      item(bytes, from, to) {
        if (table !== null && (itemFlags(bytes, from) & (FLAG.range | FLAG.static)) === 0) checkRow(table, key, bytes, from, to)
      },
    })
  }
}

function checkRow(table: TableSchema, key: Buffer, bytes: Buffer, from: number, to: number): void {
  if (table.views.length === 0) return
  const row = decodeRow(new ByteReader(bytes, from, to))
  const primaryKey = [...partitionKeyValues(table, key), ...decodeClustering(row.clustering)]
  const columns = [...table.partitionKey, ...table.clustering]
  for (const view of table.views) {
    const { keyColumns, partitionColumns } = viewShape(view)
    const viewKey = keyColumns.map((id) => {
      const index = columns.findIndex((column) => column.id === id)
      return index >= 0 ? (primaryKey[index] as Buffer) : (row.cells.find((cell) => cell.column === id && cell.path === null)?.value ?? NO_VALUE)
    })
    const excess = viewKeyExcess(viewKey, partitionColumns)
    if (excess !== null) throw new InvalidRequestError(`Key length of ${excess} is longer than maximum of ${MAX_KEY_SIZE} in materialized view ${view.name}`)
  }
}
