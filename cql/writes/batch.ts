// BEGIN BATCH ... APPLY BATCH: its statements compiled one by one, with one set of bind variables and one timestamp.
import { isCounterTable } from "../../data/counters.ts"
import type { TableSchema } from "../../data/schema.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import type { BatchStatement, ModificationStatement } from "../language/ast-dml.ts"
import type { Term } from "../language/ast-terms.ts"
import type { ColumnSpecification } from "../metadata.ts"
import type { BatchPlan, CasPlan, EncodeContext, PriorRead, PriorRows } from "../plan.ts"
import type { BoundValues } from "../request.ts"
import { orderValues } from "../statements/bind-variables.ts"
import { ConditionalPlan } from "./cas-plan.ts"
import { compileTerm } from "../statements/compile-term.ts"
import { compileDelete } from "./delete.ts"
import { compileInsert } from "./insert.ts"
import { compileInsertJson } from "./insert-json.ts"
import { type CompileContext, type CompiledTerm, UNSET } from "../statements/term.ts"
import { compileUpdate } from "./update.ts"
import type { ModificationPlan } from "./write-plan.ts"

export function compileModification(statement: ModificationStatement, context: CompileContext): ModificationPlan {
  switch (statement.kind) {
    case "insert":
      return compileInsert(statement, context)
    case "insertJson":
      return compileInsertJson(statement, context)
    case "update":
      return compileUpdate(statement, context)
    case "delete":
      return compileDelete(statement, context)
  }
}

export function compileBatch(statement: BatchStatement, context: CompileContext): BatchPlan | CasPlan {
  const { type, using } = statement
  if (using.timeToLive !== null) throw new InvalidRequestError("Global TTL on the BATCH statement is not supported.")
  const timestamp = using.timestamp === null ? null : compileTimestamp(using.timestamp, context)
  const plans = statement.statements.map((inner) => compileModification(inner, context))
  const isConditional = plans.some(({ definition }) => (definition.conditions ?? null) !== null)
  if (timestamp !== null) {
    if (isConditional) throw new InvalidRequestError("Cannot provide custom timestamp for conditional BATCH")
    if (type === "COUNTER") throw new InvalidRequestError("Cannot provide custom timestamp for counter BATCH")
    if (plans.some(({ definition }) => definition.attributes.hasTimestamp)) throw new InvalidRequestError("Timestamp must be set either on BATCH or individual statements")
    if (plans.some(({ table }) => isCounterTable(table))) throw new InvalidRequestError("Cannot provide custom timestamp for a BATCH containing counters")
  }
  checkBatchTables(type, plans)
  const [first, ...others] = plans
  if (first !== undefined && isConditional) {
    return new ConditionalPlan([first, ...others], true)
  }
  return new Batch(type, plans, timestamp, context.variables.specifications())
}

/** Counters and other tables do not mix, and counters are not logged. Throws InvalidRequestError. */
export function checkBatchTables(type: BatchPlan["type"], statements: readonly { readonly table: TableSchema }[]): void {
  const counters = statements.filter(({ table }) => isCounterTable(table)).length
  if (type === "COUNTER" && counters < statements.length) throw new InvalidRequestError("Cannot include non-counter statement in a counter batch")
  if (counters > 0 && counters < statements.length) throw new InvalidRequestError("Counter and non-counter mutations cannot exist in the same batch")
  if (type === "LOGGED" && counters > 0) throw new InvalidRequestError("Cannot include a counter statement in a logged batch")
}

function compileTimestamp(term: Term, context: CompileContext): CompiledTerm {
  const receiver: ColumnSpecification = { keyspace: context.keyspace ?? "", table: "", name: "[timestamp]", type: nativeType("bigint") }
  return compileTerm(term, receiver, { ...context, table: null })
}

/** What each statement of a batch reads first. */
class BatchPriorRows implements PriorRows {
  readonly parts: readonly PriorRows[]

  constructor(parts: readonly PriorRows[]) {
    this.parts = parts
  }
  get reads(): readonly PriorRead[] {
    return this.parts.flatMap(({ reads }) => reads)
  }
}

class Batch implements BatchPlan {
  readonly kind = "batch"
  readonly type: BatchPlan["type"]
  readonly statements: readonly ModificationPlan[]
  readonly readsFirst: boolean
  readonly #timestamp: CompiledTerm | null
  readonly #variables: readonly ColumnSpecification[]

  constructor(type: BatchPlan["type"], statements: readonly ModificationPlan[], timestamp: CompiledTerm | null, variables: readonly ColumnSpecification[]) {
    this.type = type
    this.statements = statements
    this.readsFirst = statements.some(({ readsFirst }) => readsFirst)
    this.#timestamp = timestamp
    this.#variables = variables
  }

  prior(bound: BoundValues, nowSeconds: number): BatchPriorRows {
    const values = orderValues(bound, this.#variables)
    return new BatchPriorRows(this.statements.map((statement) => statement.priorOrdered(values, nowSeconds)))
  }

  encode(bound: BoundValues, context: EncodeContext, prior?: PriorRows): number {
    const values = orderValues(bound, this.#variables)
    const timed = this.#withTimestamp(values, context)
    const start = context.writer.out.length
    try {
      let count = 0
      this.statements.forEach((statement, index) => {
        count += statement.encodeOrdered(values, timed, prior instanceof BatchPriorRows ? prior.parts[index] : undefined)
      })
      return count
    } catch (error) {
      // Nothing of a batch is written when one of its statements is refused.
      context.writer.out.length = start
      throw error
    }
  }

  #withTimestamp(values: BoundValues, context: EncodeContext): EncodeContext {
    const bytes = this.#timestamp === null ? UNSET : this.#timestamp.value(values)
    if (bytes === UNSET) return context
    if (bytes === null || bytes.length === 0) throw new InvalidRequestError("Invalid null value of timestamp")
    return { writer: context.writer, timestampHigh: bytes.readInt32BE(0), timestampLow: bytes.readUInt32BE(4), nowSeconds: context.nowSeconds }
  }
}
