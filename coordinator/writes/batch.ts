// Batches: the statements' mutations, combined where several have one partition key, handed to the coordinator keyspace by
// keyspace. A LOGGED batch over several partitions goes through the batch log (batchlog/batch-log.ts).
import type { Consistency, WriteType } from "../../cql/errors.ts"
import type { WritePlan } from "../../cql/plan.ts"
import type { BatchType } from "../../cql/request.ts"
import { isCounterTable } from "../../data/counters.ts"
import { combineMutations } from "../../data/combine-mutations.ts"
import type { Schema } from "../../data/schema.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { Completion } from "../coordinator.ts"
import { LatencyHistogram } from "../latency-histogram.ts"
import { GroupCompletion } from "../group-completion.ts"
import type { NodeCoordinator } from "../node-coordinator.ts"
import { firstTable, mutationSizeAt } from "./mutation-tables.ts"

export class BatchWriter {
  /** Partitions in each batch; of counters, mutations, since they are not combined. */
  readonly sizes: Readonly<Record<BatchType, LatencyHistogram>> = { LOGGED: new LatencyHistogram(), UNLOGGED: new LatencyHistogram(), COUNTER: new LatencyHistogram() }
  readonly #coordinator: NodeCoordinator

  constructor(coordinator: NodeCoordinator) {
    this.#coordinator = coordinator
  }

  /** A batch of counters is one of type COUNTER, whatever it says. `mutations[0, length)`: `count` of them, as the plans wrote them. */
  write(
    type: BatchType, plans: readonly WritePlan[], mutations: Buffer, count: number, consistency: Consistency, schema: Schema, completion: Completion,
  ): void {
    const first = plans[0]?.table
    const keyspace = first?.keyspace
    const kind = first !== undefined && isCounterTable(first) ? "COUNTER" : type
    if (keyspace === undefined || count === 0) {
      completion.done(null)
      return
    }
    if (plans.every(({ table }) => table.keyspace === keyspace)) {
      this.sizes[kind].record(this.#writeKeyspace(kind, keyspace, mutations, count, consistency, schema, completion), 1)
      return
    }
    const parts = byKeyspace(mutations, schema)
    if (kind === "LOGGED") {
      const combined = [...parts].map(([name, part]) => ({ keyspace: name, ...combineMutations(Buffer.concat(part), part.length, schema) }))
      this.sizes[kind].record(combined.reduce((sum, part) => sum + part.count, 0), 1)
      this.#coordinator.writeLogged(combined, consistency, completion)
      return
    }
    const group = new GroupCompletion(parts.size, completion)
    let partitions = 0
    for (const [name, part] of parts) partitions += this.#writeKeyspace(kind, name, Buffer.concat(part), part.length, consistency, schema, group)
    this.sizes[kind].record(partitions, 1)
  }

  /** `seconds` have passed since the last call. */
  tick(seconds: number): void {
    for (const histogram of Object.values(this.sizes)) histogram.tick(seconds)
  }

  /** Returns how many mutations it makes. */
  #writeKeyspace(
    type: BatchType, keyspace: string, mutations: Buffer, count: number, consistency: Consistency, schema: Schema, completion: Completion,
  ): number {
    if (type === "COUNTER") {
      // They add up instead of replacing each other: nothing is combined.
      this.#coordinator.writeCounters(keyspace, mutations, count, consistency, completion)
      return count
    }
    const combined = count === 1 ? { bytes: mutations, count } : combineMutations(mutations, count, schema)
    if (type === "LOGGED" && combined.count > 1) this.#coordinator.writeLogged([{ keyspace, ...combined }], consistency, completion)
    else this.#coordinator.write(keyspace, combined.bytes, combined.count, consistency, writeTypeOf(combined.count), completion)
    return combined.count
  }
}

/** As Cassandra: what touches one partition is atomic by itself, and SIMPLE. */
function writeTypeOf(count: number): WriteType {
  return count === 1 ? "SIMPLE" : "UNLOGGED_BATCH"
}

function byKeyspace(mutations: Buffer, schema: Schema): Map<string, Buffer[]> {
  const parts = new Map<string, Buffer[]>()
  for (let at = 0; at < mutations.length; ) {
    const mutation = mutations.subarray(at, at + mutationSizeAt(mutations, at))
    at += mutation.length
    const keyspace = schema.tableById(firstTable(mutation))?.keyspace ?? ""
    const part = parts.get(keyspace) ?? []
    part.push(mutation)
    parts.set(keyspace, part)
  }
  return parts
}
