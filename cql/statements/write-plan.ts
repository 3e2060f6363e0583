// A compiled INSERT, UPDATE or DELETE.
//
// The general way: work out the time, the keys, the rows or ranges, and the content (RowDraft), all before anything is
// written; then one mutation for each key. A statement of the common simple form (simple-write.ts) whose values are all
// there skips all that.
import { Buffer } from "../../runtime/pure.ts"
import type { Row } from "../../data/row.ts"
import { encodeClustering } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { InvalidRequestError } from "../errors.ts"
import type { EncodeContext, WritePlan } from "../plan.ts"
import type { ColumnSpecification } from "../metadata.ts"
import type { BoundValues } from "../request.ts"
import { orderValues } from "./bind-variables.ts"
import type { BindVariables } from "./bind-variables.ts"
import { RowDraft } from "./row-draft.ts"
import { boundKeys, boundSlices } from "./select-targets.ts"
import type { SimpleWrite } from "./simple-write.ts"
import type { WriteAttributes, WriteTime } from "./write-attributes.ts"
import type { Operation } from "./write-operations.ts"
import { type WriteTarget, restrictedColumns } from "./write-where.ts"

export interface WriteDefinition {
  readonly table: TableSchema
  readonly target: WriteTarget
  readonly attributes: WriteAttributes
  readonly operations: readonly Operation[]
  /** INSERT: rows get a marker. */
  readonly marksRows: boolean
  /** DELETE of whole rows, ranges or partitions: there are no operations. */
  readonly deletes: boolean
  /** Null: the statement has not the simple form. */
  readonly simple: SimpleWrite | null
}

const MAX_CLUSTERING_SIZE = 0xffff

export class ModificationPlan implements WritePlan {
  readonly kind = "write"
  readonly table: TableSchema
  readonly definition: WriteDefinition
  readonly #variables: readonly ColumnSpecification[]

  constructor(definition: WriteDefinition, variables: BindVariables) {
    this.definition = definition
    this.table = definition.table
    this.#variables = variables.specifications()
  }

  encode(values: BoundValues, context: EncodeContext): number {
    return this.encodeOrdered(orderValues(values, this.#variables), context)
  }

  /** As `encode`, for values that are in the order of the markers already. */
  encodeOrdered(values: BoundValues, context: EncodeContext): number {
    const simple = this.definition.simple
    if (simple !== null && simple.isComplete(values)) return simple.encode(values, context)
    return this.#encodeGeneral(values, context)
  }

  #encodeGeneral(values: BoundValues, context: EncodeContext): number {
    const { table, target, attributes, deletes } = this.definition
    const time = attributes.resolve(values, context)
    const keys = boundKeys(target.keys, null, values)
    const content = deletes ? this.#deletion(values, time) : this.#rows(values, time)
    if (content === null) return 0
    for (const key of keys) {
      context.writer.begin(key, 0, key.length)
      context.writer.beginUpdate(table.id)
      content(context)
      context.writer.endUpdate()
      context.writer.end()
    }
    return keys.length
  }

  /** The rows that the operations change; null when they change nothing. */
  #rows(values: BoundValues, time: WriteTime): ((context: EncodeContext) => void) | null {
    const { table, operations, marksRows } = this.definition
    const statics = new RowDraft(time)
    const regulars = new RowDraft(time)
    for (const operation of operations) operation.apply(operation.column.kind === "static" ? statics : regulars, values)
    const staticRow = statics.isEmpty ? null : statics.build(true, null)
    const writesRows = marksRows ? this.#hasClustering() : !regulars.isEmpty
    const rows = writesRows ? rowsAt(this.#clusterings(values), regulars.build(false, marksRows ? regulars.marker() : null)) : []
    if (table.clustering.length > 0 && !writesRows) this.#clusterings(values)
    if (staticRow === null && rows.length === 0) return null
    return ({ writer }) => {
      if (staticRow !== null) writer.row(staticRow)
      for (const row of rows) writer.row(row)
    }
  }

  /** INSERT without clustering columns writes only static columns. */
  #hasClustering(): boolean {
    return restrictedColumns(this.definition.target) === this.table.clustering.length
  }

  /** Encoded clusterings in order, without duplicates. REQUIRES: = or IN on each clustering column, or on none. */
  #clusterings(values: BoundValues): readonly Uint8Array[] {
    const { table, target } = this.definition
    if (target.clustering.length === 0) return [Buffer.alloc(0)]
    return (boundSlices(table, target.clustering, values) ?? []).map((slice) => checkedClustering(slice.start))
  }

  /** Null when no row can match. */
  #deletion(values: BoundValues, time: WriteTime): ((context: EncodeContext) => void) | null {
    const { table, target } = this.definition
    const deletion = new RowDraft(time).deletion()
    if (target.clustering.length === 0) return ({ writer }) => writer.partitionDeletion(deletion)
    if (this.#hasClustering()) {
      const row: Row = { isStatic: false, clustering: encodeClustering([]), marker: null, deletion, complexDeletions: [], cells: [] }
      const rows = rowsAt(this.#clusterings(values), row)
      return rows.length === 0 ? null : ({ writer }) => { for (const item of rows) writer.row(item) }
    }
    const slices = boundSlices(table, target.clustering, values) ?? []
    for (const slice of slices) {
      checkedClustering(slice.start)
      checkedClustering(slice.end)
    }
    return slices.length === 0 ? null : ({ writer }) => { for (const slice of slices) writer.rangeTombstone({ ...slice, deletion }) }
  }
}

function rowsAt(clusterings: readonly Uint8Array[], row: Row): Row[] {
  return clusterings.map((clustering) => ({ ...row, clustering }))
}

function checkedClustering(clustering: Uint8Array): Uint8Array {
  if (clustering.length <= MAX_CLUSTERING_SIZE) return clustering
  throw new InvalidRequestError(`The sum of all clustering columns is too long (${clustering.length} > ${MAX_CLUSTERING_SIZE})`)
}
