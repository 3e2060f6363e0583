// A compiled INSERT, UPDATE or DELETE.
//
// The general way: work out the time, the keys, the rows or ranges, and the content (RowDraft), all before anything is
// written; then one mutation for each key. A statement of the common simple form (simple-write.ts) whose values are all
// there skips all that.
//
// Operations on lists may need the rows as they are: then `readsFirst` is set, the coordinator runs the reads of `prior`,
// and hands them to `encode`.
import { Buffer } from "../../runtime/pure.ts"
import type { Row } from "../../data/row.ts"
import { mergeRows } from "../../data/reconcile.ts"
import { encodeClustering } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { InvalidRequestError } from "../errors.ts"
import type { EncodeContext, PriorRead, PriorRows, WritePlan } from "../plan.ts"
import type { ColumnSpecification } from "../metadata.ts"
import type { BoundValues } from "../request.ts"
import { orderValues } from "../statements/bind-variables.ts"
import type { BindVariables } from "../statements/bind-variables.ts"
import type { Conditions } from "./cas-conditions.ts"
import { ExistingRow, ExistingRows, rowsCommand } from "./existing-rows.ts"
import { RowDraft } from "./row-draft.ts"
import { boundKeys, boundSlices } from "../select/select-targets.ts"
import type { SimpleWrite } from "./simple-write.ts"
import type { WriteAttributes, WriteTime } from "./write-attributes.ts"
import type { Operation } from "./write-operation.ts"
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
  /** Any DELETE. */
  readonly isDelete?: boolean
  /** Null: the statement has not the simple form. */
  readonly simple: SimpleWrite | null
  /** The IF clause; null or left out: none. */
  readonly conditions?: Conditions | null
}

/** The rows that one statement starts from, by partition key. */
class StatementPriorRows implements PriorRows {
  readonly reads: PriorRead[] = []
  readonly #byKey = new Map<string, ExistingRows>()

  add(key: Buffer, read: PriorRead, rows: ExistingRows): void {
    this.reads.push(read)
    this.#byKey.set(key.toString("latin1"), rows)
  }
  of(key: Buffer): ExistingRows | null {
    return this.#byKey.get(key.toString("latin1")) ?? null
  }
}

/** Gives the rows of a partition as they are before the write; null: not read. */
export type ExistingSource = (key: Buffer) => ExistingRows | null

const NOTHING_READ: ExistingSource = () => null

const MAX_CLUSTERING_SIZE = 0xffff

export class ModificationPlan implements WritePlan {
  readonly kind = "write"
  readonly table: TableSchema
  readonly definition: WriteDefinition
  readonly readsFirst: boolean
  readonly #variables: readonly ColumnSpecification[]

  constructor(definition: WriteDefinition, variables: BindVariables) {
    this.definition = definition
    this.table = definition.table
    this.readsFirst = definition.operations.some(({ needsRead }) => needsRead === true)
    this.#variables = variables.specifications()
  }

  prior(values: BoundValues, nowSeconds: number): PriorRows {
    return this.priorOrdered(orderValues(values, this.#variables), nowSeconds)
  }

  /** As `prior`, for values that are in the order of the markers already. */
  priorOrdered(values: BoundValues, nowSeconds: number): PriorRows {
    const prior = new StatementPriorRows()
    if (!this.readsFirst) return prior
    for (const key of boundKeys(this.definition.target.keys, null, values)) {
      const rows = new ExistingRows(nowSeconds)
      prior.add(key, { command: rowsCommand(this.table, key, this.#hasClustering() ? this.clusterings(values) : [], nowSeconds), sink: rows }, rows)
    }
    return prior
  }

  /** A copy of the values, in the order of the markers: they outlive the request's frame. */
  ownValues(values: BoundValues): BoundValues {
    const { buffer, count, offsets, lengths } = orderValues(values, this.#variables)
    return { buffer: Buffer.from(buffer), count, offsets: offsets.slice(0, count), lengths: lengths.slice(0, count), names: null }
  }

  encode(values: BoundValues, context: EncodeContext, prior?: PriorRows): number {
    return this.encodeOrdered(orderValues(values, this.#variables), context, prior)
  }

  /** As `encode`, for values that are in the order of the markers already. */
  encodeOrdered(values: BoundValues, context: EncodeContext, prior?: PriorRows): number {
    const simple = this.definition.simple
    if (simple !== null && simple.isComplete(values)) return simple.encode(values, context)
    return this.encodeFrom(values, context, prior instanceof StatementPriorRows ? (key) => prior.of(key) : NOTHING_READ)
  }

  /** As `encodeOrdered`, with existing rows from elsewhere. */
  encodeFrom(values: BoundValues, context: EncodeContext, existing: ExistingSource): number {
    const { table, target, attributes, deletes } = this.definition
    const time = attributes.resolve(values, context)
    const keys = boundKeys(target.keys, null, values)
    const shared = deletes ? this.#deletion(values, time) : this.readsFirst ? null : this.#rows(values, time, null)
    const contents = keys.map((key) => (this.readsFirst ? this.#rows(values, time, existing(key)) : shared))
    let count = 0
    keys.forEach((key, index) => {
      const content = contents[index] ?? null
      if (content === null) return
      context.writer.begin(key, 0, key.length)
      context.writer.beginUpdate(table.id)
      content(context)
      context.writer.endUpdate()
      context.writer.finish()
      count++
    })
    return count
  }

  /** The rows that the operations change; null when they change nothing. */
  #rows(values: BoundValues, time: WriteTime, existing: ExistingRows | null): ((context: EncodeContext) => void) | null {
    const { table, operations } = this.definition
    const statics = new RowDraft(time)
    this.#apply(operations.filter(({ column }) => column.kind === "static"), statics, values, existing?.statics ?? null)
    const staticRow = statics.isEmpty ? null : statics.build(true, null)
    const regulars = operations.filter(({ column }) => column.kind !== "static")
    const rows: Row[] = []
    if (existing === null) rows.push(...this.#regularRows(regulars, this.#writesRows(regulars) ? this.clusterings(values) : [], values, time, null))
    else for (const clustering of this.clusterings(values)) rows.push(...this.#regularRows(regulars, [clustering], values, time, existing.at(clustering)))
    if (table.clustering.length > 0 && rows.length === 0) this.clusterings(values)
    if (staticRow === null && rows.length === 0) return null
    return ({ writer }) => {
      if (staticRow !== null) writer.row(staticRow)
      for (const row of rows) writer.row(row)
    }
  }

  #apply(operations: readonly Operation[], draft: RowDraft, values: BoundValues, existing: ExistingRow | null): void {
    for (const operation of operations) operation.apply(draft, values, operation.needsRead === true && !draft.isEmpty ? after(existing, draft) : existing)
  }

  #writesRows(regulars: readonly Operation[]): boolean {
    return this.definition.marksRows ? this.#hasClustering() : regulars.length > 0
  }

  /** The same content at each clustering; none when nothing is changed. */
  #regularRows(operations: readonly Operation[], clusterings: readonly Uint8Array[], values: BoundValues, time: WriteTime, existing: ExistingRow | null): Row[] {
    const { marksRows } = this.definition
    const draft = new RowDraft(time)
    this.#apply(operations, draft, values, existing)
    if (!(marksRows ? this.#hasClustering() : !draft.isEmpty)) return []
    return rowsAt(clusterings, draft.build(false, marksRows ? draft.marker() : null))
  }

  /** INSERT without clustering columns writes only static columns. */
  #hasClustering(): boolean {
    return restrictedColumns(this.definition.target) === this.table.clustering.length
  }

  /** Encoded clusterings in order, without duplicates. REQUIRES: = or IN on each clustering column, or on none. */
  clusterings(values: BoundValues): readonly Uint8Array[] {
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
      const rows = rowsAt(this.clusterings(values), row)
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

/** The row as it is once what the statement has said so far is done: `l = [0] + l, l[1] = 9` counts the 0. */
function after(existing: ExistingRow | null, draft: RowDraft): ExistingRow | null {
  const row = mergeRows([...(existing === null ? [] : [existing.row]), { ...draft.build(false, null), isStatic: existing?.row.isStatic ?? false }], null)
  return row === null ? null : new ExistingRow(row, draft.time.nowSeconds)
}

function rowsAt(clusterings: readonly Uint8Array[], row: Row): Row[] {
  return clusterings.map((clustering) => ({ ...row, clustering }))
}

function checkedClustering(clustering: Uint8Array): Uint8Array {
  if (clustering.length <= MAX_CLUSTERING_SIZE) return clustering
  throw new InvalidRequestError(`The sum of all clustering columns is too long (${clustering.length} > ${MAX_CLUSTERING_SIZE})`)
}
