// A conditional statement, or a batch with one, bound to its values: all of one partition.
//
// 1. Each statement adds its conditions (for its row, or for the static row) and its change.
// 2. The rows of all conditions, and of operations that need them, are read in one command.
// 3. When every condition holds, the changes are encoded as one mutation at the ballot's time.
// 4. Otherwise the result shows the rows of the conditions: all columns, or those that conditions are about.
import { Buffer, assert } from "../../runtime/pure.ts"
import { ByteWriter } from "../../data/bytes.ts"
import { combineMutations } from "../../data/combine-mutations.ts"
import { MutationWriter } from "../../data/mutation.ts"
import { partitionKeyValues } from "../../data/partition-key.ts"
import { decodeClustering } from "../../data/row-format.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { ERROR_CODE, InvalidRequestError, RequestError } from "../errors.ts"
import type { ColumnSpecification, ResultMetadata } from "../metadata.ts"
import type { CasRequest, EncodeContext, PriorRead } from "../plan.ts"
import type { BoundValues } from "../request.ts"
import { type ColumnCondition, type Conditions, onlyStaticConditions } from "./cas-conditions.ts"
import { type ExistingRow, ExistingRows, nameOf, rowsCommand } from "./existing-rows.ts"
import { resultMetadata } from "../statements/result-metadata.ts"
import { boundKeys } from "../select/select-targets.ts"
import { columnReceiver } from "../statements/term.ts"
import type { ModificationPlan } from "./write-plan.ts"
import { restrictedColumns } from "./write-where.ts"

export interface CasMember {
  readonly plan: ModificationPlan
  /** In the order of the plan's markers. Kept. */
  readonly values: BoundValues
}

type RowTest = (row: ExistingRow | null) => boolean

/** What must be true of one row. */
interface RowConditions {
  readonly clustering: Uint8Array | null
  readonly kind: Conditions["kind"]
  readonly tests: RowTest[]
}

export class BoundCas implements CasRequest {
  readonly table: TableSchema
  readonly key: Buffer
  readonly #members: readonly CasMember[]
  readonly #isBatch: boolean
  readonly #nowSeconds: number
  #statics: RowConditions | null = null
  readonly #rows = new Map<string, RowConditions>()
  /** Clusterings that are read beyond those of conditions. */
  readonly #alsoRead: Uint8Array[] = []
  /** Columns that conditions are about, in the order of the result; null: all columns are shown. */
  #conditionColumns: Set<ColumnSchema> | null = new Set()
  /** The same, also where all are shown. */
  readonly #read = new Set<ColumnSchema>()
  #existing: ExistingRows

  /** Throws InvalidRequestError. REQUIRES: one of the statements has conditions; all are on one table. */
  constructor(members: readonly CasMember[], isBatch: boolean, nowSeconds: number) {
    const first = members[0]
    assert(first !== undefined, "a conditional update has a statement")
    this.table = first.plan.table
    this.#members = members
    this.#isBatch = isBatch
    this.#nowSeconds = nowSeconds
    this.#existing = new ExistingRows(nowSeconds)
    let key: Buffer | null = null
    for (const member of members) {
      const own = this.#keyOf(member)
      if (key !== null && !key.equals(own)) throw new InvalidRequestError("Batch with conditions cannot span multiple partitions")
      key = own
      this.#add(member)
    }
    this.key = key as Buffer
  }

  read(): PriorRead {
    this.#existing = new ExistingRows(this.#nowSeconds)
    const clusterings = [...[...this.#rows.values()].map(({ clustering }) => clustering as Uint8Array), ...this.#alsoRead]
    return { command: rowsCommand(this.table, this.key, clusterings, this.#nowSeconds), sink: this.#existing }
  }

  applies(): boolean {
    const existing = this.#existing
    if (this.#statics !== null && !holds(this.#statics, existing.statics)) return false
    for (const conditions of this.#rows.values()) if (!holds(conditions, existing.at(conditions.clustering as Uint8Array))) return false
    return true
  }

  encode(context: EncodeContext): number {
    const writer = new MutationWriter(256)
    let count = 0
    for (const { plan, values } of this.#members) count += plan.encodeFrom(values, { ...context, writer }, () => this.#existing)
    if (count === 0) return 0
    const combined = combineMutations(writer.out.view(), count, { tableById: (id) => (id === this.table.id ? this.table : null) })
    assert(combined.count === 1, "statements on one partition make one mutation")
    context.writer.out.bytes(combined.bytes)
    return 1
  }

  result(applied: boolean): { readonly metadata: ResultMetadata; readonly count: number; readonly rows: Buffer } {
    const { keyspace, name } = this.table
    const flag: ColumnSpecification = { keyspace, table: name, name: "[applied]", type: nativeType("boolean") }
    const out = new ByteWriter(256)
    const shown = applied ? [] : this.#shownRows()
    if (shown.length === 0) {
      writeValue(out, Buffer.from([applied ? 1 : 0]))
      return { metadata: resultMetadata([flag]), count: 1, rows: out.view() }
    }
    const columns = this.#shownColumns()
    const key = partitionKeyValues(this.table, this.key)
    for (const row of shown) {
      writeValue(out, Buffer.from([0]))
      for (const column of columns) writeValue(out, this.#valueOf(column, key, row))
    }
    return { metadata: resultMetadata([flag, ...columns.map((column) => columnReceiver(this.table, column))]), count: shown.length, rows: out.view() }
  }

  #keyOf({ plan, values }: CasMember): Buffer {
    const { target, isDelete = false } = plan.definition
    const what = isDelete ? "deletions" : "updates"
    const isIn = target.keys.some(({ kind }) => kind === "in")
    if (isIn && this.#isBatch) {
      // Cassandra does not expect its own refusal.
      throw new RequestError(ERROR_CODE.server, "java.lang.IllegalArgumentException: Batch with conditions cannot span multiple partitions (you cannot use IN on the partition key)")
    }
    const keys = boundKeys(target.keys, null, values)
    if (keys.length > 1) throw new InvalidRequestError(`IN on the partition key is not supported with conditional ${what}`)
    if (target.clustering.some(({ kind }) => kind === "in")) {
      throw new InvalidRequestError(`IN on the clustering key columns is not supported with conditional ${what}`)
    }
    const key = keys[0]
    if (key === undefined) throw new InvalidRequestError("Some partition key parts are missing")
    return key
  }

  #add({ plan, values }: CasMember): void {
    const { conditions = null, target } = plan.definition
    const isRow = restrictedColumns(target) === this.table.clustering.length
    const clustering = isRow ? (plan.clusterings(values)[0] ?? null) : null
    if (plan.readsFirst && clustering !== null) this.#alsoRead.push(clustering)
    if (conditions === null) return
    if (conditions.kind !== "columns") {
      const onlyStatics = plan.definition.operations.length > 0 && plan.definition.operations.every(({ column }) => column.kind === "static")
      this.#addExistence(conditions.kind, onlyStatics && target.clustering.length === 0 && this.table.clustering.length > 0 ? null : clustering)
      this.#conditionColumns = null
      return
    }
    this.#addColumns(conditions.regulars, clustering, values)
    this.#addColumns(conditions.statics, null, values)
    for (const { column } of [...conditions.regulars, ...conditions.statics]) {
      this.#conditionColumns?.add(column)
      this.#read.add(column)
    }
  }

  /** `clustering` null: the static row. */
  #conditionsAt(clustering: Uint8Array | null): RowConditions | null {
    return clustering === null ? this.#statics : (this.#rows.get(nameOf(clustering)) ?? null)
  }
  #setConditions(conditions: RowConditions): void {
    if (conditions.clustering === null) this.#statics = conditions
    else this.#rows.set(nameOf(conditions.clustering), conditions)
  }

  #addExistence(kind: "exists" | "notExists", clustering: Uint8Array | null): void {
    const previous = this.#conditionsAt(clustering)
    if (previous?.kind === kind) return
    if (previous?.kind === "columns") throw new InvalidRequestError(`Cannot mix IF conditions and IF ${kind === "notExists" ? "NOT " : ""}EXISTS for the same row`)
    if (previous !== null) throw new InvalidRequestError("Cannot mix IF EXISTS and IF NOT EXISTS conditions for the same row")
    this.#setConditions({ clustering, kind, tests: [] })
  }

  #addColumns(conditions: readonly ColumnCondition[], clustering: Uint8Array | null, values: BoundValues): void {
    if (conditions.length === 0) return
    let known = this.#conditionsAt(clustering)
    if (known !== null && known.kind !== "columns") throw new InvalidRequestError("Cannot mix IF conditions and IF NOT EXISTS for the same row")
    if (known === null) {
      known = { clustering, kind: "columns", tests: [] }
      this.#setConditions(known)
    }
    for (const condition of conditions) known.tests.push(condition.bind(values))
  }

  /** Static columns are looked at when a statement writes one or a condition names it; regular ones likewise. */
  #isRead(column: ColumnSchema): boolean {
    if (this.#read.has(column)) return true
    const { clustering } = this.table
    return this.#members.some(({ plan: { definition } }) =>
      column.kind === "static" ? definition.operations.some((operation) => operation.column.kind === "static") : clustering.length === 0 || definition.target.clustering.length > 0,
    )
  }

  #shownColumns(): readonly ColumnSchema[] {
    const columns = this.#conditionColumns
    if (columns === null) return this.table.columns
    return this.#isBatch ? [...new Set([...this.table.partitionKey, ...this.table.clustering, ...columns])] : [...columns]
  }

  /** Null stands for a partition that has only a static row. */
  #shownRows(): readonly (ExistingRow | null)[] {
    const { rows, statics } = this.#existing
    const shown = this.#rows.size === 0 ? rows : rows.filter(({ clustering }) => this.#rows.has(nameOf(clustering)))
    if (shown.length > 0) return shown
    return statics !== null && this.table.statics.some((column) => this.#isRead(column) && statics.value(column) !== null) ? [null] : []
  }

  #valueOf(column: ColumnSchema, key: readonly Buffer[], row: ExistingRow | null): Buffer | null {
    switch (column.kind) {
      case "partition_key":
        return key[column.position] as Buffer
      case "clustering":
        return row === null ? null : (decodeClustering(row.clustering)[column.position] ?? null)
      case "static":
        return this.#isRead(column) ? (this.#existing.statics?.value(column) ?? null) : null
      case "regular":
        return row !== null && this.#isRead(column) ? row.value(column) : null
    }
  }
}

function holds(conditions: RowConditions, row: ExistingRow | null): boolean {
  if (conditions.kind === "exists") return row !== null
  if (conditions.kind === "notExists") return row === null
  return conditions.tests.every((test) => test(row))
}

function writeValue(out: ByteWriter, value: Buffer | null): void {
  out.int32(value === null ? -1 : value.length)
  if (value !== null) out.bytes(value)
}

/** Refuses what a DELETE with IF may not leave open. */
export function checkConditionalDelete(plan: ModificationPlan): void {
  const { table, definition } = plan
  const { conditions = null, target, operations } = definition
  if (conditions === null || restrictedColumns(target) === table.clustering.length) return
  const must = "DELETE statements must restrict all PRIMARY KEY columns with equality relations"
  if (operations.length === 0 || operations.some(({ column }) => column.kind !== "static")) throw new InvalidRequestError(`${must} in order to delete non static columns`)
  if (!onlyStaticConditions(conditions)) throw new InvalidRequestError(`${must} in order to use IF condition on non static columns`)
}
