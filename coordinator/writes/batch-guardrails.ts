// What Cassandra says by default about batches that are too large or touch too many partitions. Batches of one partition are
// exempt. Sizes are those of the mutations as we encode them, which are somewhat smaller than Cassandra's own figures.
import { InvalidRequestError } from "../../cql/errors.ts"
import type { WritePlan } from "../../cql/plan.ts"
import type { BatchType } from "../../cql/request.ts"
import { mutationKey } from "../../data/mutation.ts"
import type { Schema } from "../../data/schema.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { firstTable, mutationSizeAt } from "./mutation-tables.ts"

/** batch_size_warn_threshold, batch_size_fail_threshold, unlogged_batch_across_partitions_warn_threshold. */
const WARN_BYTES = 5 * 1024
const FAIL_BYTES = 50 * 1024
const WARN_PARTITIONS = 10

/** Null, nearly always: nothing to say. `mutations`: `count` of them, one behind the other. Throws InvalidRequestError. */
export function batchWarnings(type: BatchType, plans: readonly WritePlan[], mutations: Buffer, count: number, schema: Schema): string[] | null {
  const isLarge = mutations.length > WARN_BYTES
  const isUnlogged = type !== "LOGGED"
  if (count === 1 || (!isLarge && (count <= WARN_PARTITIONS || !isUnlogged))) return null
  const partitions = countPartitions(mutations, schema)
  if (partitions === 1) return null
  const tables = [...new Set(plans.map(({ table }) => `${table.keyspace}.${table.name}`))].join(", ")
  const warnings: string[] = []
  if (mutations.length > FAIL_BYTES) throw new InvalidRequestError("Batch too large")
  if (isLarge) warnings.push(`Batch for [${tables}] is of size ${mutations.length}, exceeding specified threshold of ${WARN_BYTES} by ${mutations.length - WARN_BYTES}.`)
  if (isUnlogged && partitions > WARN_PARTITIONS) {
    warnings.push(
      `Unlogged batch covering ${partitions} partitions detected against table${tables.includes(",") ? "s" : ""} [${tables}]. You should use a logged batch for atomicity, or asynchronous writes for performance.`,
    )
  }
  return warnings.length === 0 ? null : warnings
}

function countPartitions(mutations: Buffer, schema: Schema): number {
  const keys = new Set<string>()
  for (let at = 0; at < mutations.length; ) {
    const mutation = mutations.subarray(at, at + mutationSizeAt(mutations, at))
    at += mutation.length
    keys.add(`${schema.tableById(firstTable(mutation))?.keyspace ?? ""}\0${mutationKey(mutation).toString("latin1")}`)
  }
  return keys.size
}
