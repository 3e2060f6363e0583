// A compiled SELECT: what does not change between requests. `bind` takes a run from the pool and gives it the values.
import type { TableSchema } from "../../data/schema.ts"
import type { ResultMetadata } from "../metadata.ts"
import type { DirectSelect, ReadPlan, Select } from "../plan.ts"
import type { QueryOptions } from "../request.ts"
import type { BindVariables } from "../statements/bind-variables.ts"
import { orderValues } from "../statements/bind-variables.ts"
import type { SelectDefinition } from "./select-definition.ts"
import { DirectRun } from "./select-direct.ts"
import { SelectRun } from "./select-run.ts"

/** Runs kept for the next request; more than this are in flight only at the same time. */
const POOL_SIZE = 256

export class SelectPlan implements ReadPlan {
  readonly kind = "read"
  readonly table: TableSchema
  readonly definition: SelectDefinition
  /** Of the rows; what a PREPARE is answered with. */
  readonly resultMetadata: ResultMetadata
  readonly direct: DirectSelect | null
  readonly #variables: BindVariables
  readonly #pool: SelectRun[] = []

  constructor(definition: SelectDefinition, variables: BindVariables) {
    this.table = definition.table
    this.definition = definition
    this.resultMetadata = definition.metadata
    this.direct = DirectRun.of(definition, variables)
    this.#variables = variables
  }

  bind(options: QueryOptions, nowSeconds: number): Select {
    const values = orderValues(options.values, this.#variables.specifications())
    const run = this.#pool.pop() ?? new SelectRun(this.definition, (finished) => this.#release(finished))
    run.start(values, options, nowSeconds)
    return run
  }

  #release(run: SelectRun): void {
    if (this.#pool.length < POOL_SIZE) this.#pool.push(run)
  }
}
