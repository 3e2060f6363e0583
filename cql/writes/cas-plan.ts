// Plans of conditional statements: one statement with IF, a BATCH with one, or the statements of a BATCH message.
import type { TableSchema } from "../../data/schema.ts"
import { InvalidRequestError } from "../errors.ts"
import type { CasPlan, CasRequest, WritePlan } from "../plan.ts"
import type { BoundValues } from "../request.ts"
import { BoundCas } from "./cas-request.ts"
import { ModificationPlan } from "./write-plan.ts"

export class ConditionalPlan implements CasPlan {
  readonly kind = "cas"
  readonly table: TableSchema
  readonly statements: readonly ModificationPlan[]
  readonly #isBatch: boolean

  constructor(statements: readonly [ModificationPlan, ...ModificationPlan[]], isBatch: boolean) {
    this.table = statements[0].table
    this.statements = statements
    this.#isBatch = isBatch
    checkOneTable(statements)
  }

  /** The statements share one set of markers. */
  bind(values: BoundValues, nowSeconds: number): CasRequest {
    const own = this.statements[0]?.ownValues(values) ?? values
    return new BoundCas(this.statements.map((plan) => ({ plan, values: own })), this.#isBatch, nowSeconds)
  }
}

function checkOneTable(statements: readonly ModificationPlan[]): void {
  const first = statements[0]
  if (statements.some(({ table }) => table.id !== first?.table.id)) throw new InvalidRequestError("Batch with conditions cannot span multiple tables")
}

/** One entry of a BATCH message: a statement, conditional or not, with values of its own. */
export interface ConditionalEntry {
  readonly plan: WritePlan | CasPlan
  readonly values: BoundValues
}

/** REQUIRES: one of the entries is conditional. Copies the values. Throws InvalidRequestError. */
export function bindConditionalBatch(entries: readonly ConditionalEntry[], nowSeconds: number): CasRequest {
  const members = entries.map(({ plan, values }) => {
    const statement = plan instanceof ConditionalPlan && plan.statements.length === 1 ? plan.statements[0] : plan
    if (!(statement instanceof ModificationPlan)) throw new InvalidRequestError("Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
    return { plan: statement, values: statement.ownValues(values) }
  })
  checkOneTable(members.map(({ plan }) => plan))
  return new BoundCas(members, true, nowSeconds)
}
