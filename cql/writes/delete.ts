import type { TableSchema } from "../../data/schema.ts"
import { InvalidRequestError } from "../errors.ts"
import type { DeleteStatement } from "../language/ast-dml.ts"
import { type Conditions, compileConditions, onlyStaticConditions } from "./cas-conditions.ts"
import { checkConditionalDelete } from "./cas-request.ts"
import type { CompileContext, TermContext } from "../statements/term.ts"
import { WriteAttributes } from "./write-attributes.ts"
import type { Operation } from "./write-operation.ts"
import { compileDeletion } from "./write-operations.ts"
import { ModificationPlan } from "./write-plan.ts"
import { findColumn, findWritableTable, isKeyColumn } from "./write-table.ts"
import { type WriteTarget, compileWriteWhere, restrictedColumns } from "./write-where.ts"

export function compileDelete(statement: DeleteStatement, compileContext: CompileContext): ModificationPlan {
  const table = findWritableTable(statement.table, compileContext)
  const context: TermContext = { ...compileContext, table }
  const operations = statement.targets.map((target) => {
    const column = findColumn(table, target.column)
    if (isKeyColumn(column)) throw new InvalidRequestError(`Invalid identifier ${column.name} for deletion (should not be a PRIMARY KEY part)`)
    return compileDeletion(target, table, context)
  })
  const attributes = new WriteAttributes(statement.using, table, context)
  const target = compileWriteWhere(table, statement.where, "DELETE", context)
  const conditions = compileConditions(table, statement.ifExists, statement.conditions, attributes.hasTimestamp, context)
  if (operations.length > 0) checkClustering(table, target, operations, conditions)
  const deletes = operations.length === 0
  const definition = { table, target, attributes, operations, marksRows: false, deletes, isDelete: true, simple: null, conditions }
  const plan = new ModificationPlan(definition, compileContext.variables)
  checkConditionalDelete(plan)
  return plan
}

/** Columns are deleted of single rows only. */
function checkClustering(table: TableSchema, target: WriteTarget, operations: readonly Operation[], conditions: Conditions | null): void {
  if (target.clustering.some(({ kind }) => kind === "slice")) throw new InvalidRequestError("Range deletions are not supported for specific columns")
  if (table.clustering.length === 0) return
  const onlyStatics = operations.every(({ column }) => column.kind === "static") && onlyStaticConditions(conditions)
  if (onlyStatics && target.clustering.length > 0) {
    throw new InvalidRequestError("Invalid restrictions on clustering columns since the DELETE statement modifies only static columns")
  }
  if (conditions === null && !onlyStatics && restrictedColumns(target) < table.clustering.length) throw new InvalidRequestError("Range deletions are not supported for specific columns")
}
