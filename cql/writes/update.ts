import type { TableSchema } from "../../data/schema.ts"
import { InvalidRequestError } from "../errors.ts"
import type { UpdateStatement } from "../language/ast-dml.ts"
import { type Conditions, compileConditions, onlyStaticConditions } from "./cas-conditions.ts"
import { SimpleWrite } from "./simple-write.ts"
import type { CompileContext, TermContext } from "../statements/term.ts"
import { WriteAttributes } from "./write-attributes.ts"
import type { Operation } from "./write-operation.ts"
import { compileAssignment } from "./write-operations.ts"
import { ModificationPlan } from "./write-plan.ts"
import { findColumn, findWritableTable, isKeyColumn } from "./write-table.ts"
import { type WriteTarget, compileWriteWhere, restrictedColumns } from "./write-where.ts"

export function compileUpdate(statement: UpdateStatement, compileContext: CompileContext): ModificationPlan {
  const table = findWritableTable(statement.table, compileContext)
  const context: TermContext = { ...compileContext, table }
  const attributes = new WriteAttributes(statement.using, table, context)
  const operations = statement.assignments.map((assignment) => {
    const column = findColumn(table, assignment.column)
    if (isKeyColumn(column)) throw new InvalidRequestError(`PRIMARY KEY part ${column.name} found in SET part`)
    return compileAssignment(assignment, table, context)
  })
  const target = compileWriteWhere(table, statement.where, "UPDATE", context)
  const conditions = compileConditions(table, statement.ifExists, statement.conditions, attributes.hasTimestamp, context)
  checkClustering(table, target, operations, conditions)
  const simple = attributes.areDefaults && conditions === null ? SimpleWrite.of(table, target, operations, false) : null
  return new ModificationPlan({ table, target, attributes, operations, marksRows: false, deletes: false, simple, conditions }, compileContext.variables)
}

function checkClustering(table: TableSchema, target: WriteTarget, operations: readonly Operation[], conditions: Conditions | null): void {
  if (table.clustering.length === 0) return
  const onlyStatics = operations.every(({ column }) => column.kind === "static") && onlyStaticConditions(conditions)
  if (onlyStatics && target.clustering.length > 0) {
    throw new InvalidRequestError("Invalid restrictions on clustering columns since the UPDATE statement modifies only static columns")
  }
  if (target.clustering.some(({ kind }) => kind === "slice")) {
    throw new InvalidRequestError("Slice restrictions are not supported on the clustering columns in UPDATE statements")
  }
  const missing = table.clustering.slice(restrictedColumns(target))
  if (!onlyStatics && missing.length > 0) throw new InvalidRequestError(`Some clustering keys are missing: ${missing.map(({ name }) => name).join(", ")}`)
}
