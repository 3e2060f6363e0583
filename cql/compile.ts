// From text to a plan: parses, then hands the tree to whoever compiles statements of its kind.
import { assert, md5 } from "../runtime/pure.ts"
import type { Schema } from "../data/schema.ts"
import { InvalidRequestError } from "./errors.ts"
import type { FunctionContext } from "./functions/context.ts"
import type { Statement } from "./language/ast.ts"
import type { TruncateStatement } from "./language/ast-dml.ts"
import { parseStatement } from "./language/parse.ts"
import type { Plan, Prepared } from "./plan.ts"
import { compileBatch, compileModification } from "./writes/batch.ts"
import { BindVariables } from "./statements/bind-variables.ts"
import { ConditionalPlan } from "./writes/cas-plan.ts"
import { compileDescribe } from "./describe/describe.ts"
import { findTable } from "./statements/find-table.ts"
import { refuseRoleStatement } from "./schema/role-statements.ts"
import { compileSchemaStatement } from "./schema/schema-statement.ts"
import { compileSelect } from "./select/select.ts"
import { SelectPlan } from "./select/select-plan.ts"
import type { CompileContext } from "./statements/term.ts"
import type { ModificationPlan } from "./writes/write-plan.ts"
import { refuseReadOnly } from "./writes/write-table.ts"

/**
 * Compiles one statement against a schema. `keyspace`: the session's. `functions`: what now() and its like ask; one
 * object for the life of the node. Throws SyntaxError, InvalidRequestError and the other RequestErrors.
 */
export function compileStatement(text: string, schema: Schema, keyspace: string | null, functions: FunctionContext): Prepared {
  const context: CompileContext = { schema, keyspace, variables: new BindVariables(), functions }
  const plan = compilePlan(parseStatement(text), context)
  return {
    id: md5((keyspace ?? "") + text),
    text,
    keyspace,
    plan,
    schemaVersion: schema.version,
    warnings: [],
    bindVariables: context.variables.specifications(),
    partitionKeyIndexes: keyIndexes(plan, context.variables),
    resultMetadata: plan instanceof SelectPlan ? plan.resultMetadata : null,
  }
}

function compilePlan(statement: Statement, context: CompileContext): Plan {
  switch (statement.kind) {
    case "select":
      return compileSelect(statement, context)
    case "insert":
    case "insertJson":
    case "update":
    case "delete":
      return conditional(compileModification(statement, context))
    case "batch":
      return compileBatch(statement, context)
    case "truncate":
      return compileTruncate(statement, context)
    case "use":
      if (!context.schema.keyspaces.has(statement.keyspace)) throw new InvalidRequestError(`Keyspace '${statement.keyspace}' does not exist`)
      return statement
    case "describe":
      return compileDescribe(statement, context.keyspace)
    case "createRole":
    case "alterRole":
    case "dropRole":
    case "grantRole":
    case "revokeRole":
    case "grantPermissions":
    case "revokePermissions":
    case "listPermissions":
    case "listRoles":
    case "listUsers":
    case "addIdentity":
    case "dropIdentity":
      return refuseRoleStatement(statement)
    default:
      return compileSchemaStatement(statement, context.keyspace, context.functions)
  }
}

function conditional(plan: ModificationPlan): Plan {
  return (plan.definition.conditions ?? null) === null ? plan : new ConditionalPlan([plan], false)
}

function compileTruncate(statement: TruncateStatement, context: CompileContext): Plan {
  const table = findTable(statement.table, context)
  if (table.kind === "view") throw new InvalidRequestError("Cannot TRUNCATE materialized view directly; must truncate base table instead")
  refuseReadOnly(table, "Truncation")
  return { kind: "truncate", table }
}

/** Of statements on one table; of a batch when all its statements are on one. */
function keyIndexes(plan: Plan, variables: BindVariables): readonly number[] {
  if (plan.kind === "read" || plan.kind === "write" || plan.kind === "cas") return variables.partitionKeyIndexes(plan.table)
  if (plan.kind !== "batch") return []
  const first = plan.statements[0]
  if (first === undefined) return []
  assert(first.kind === "write", "a batch holds writes")
  return plan.statements.every(({ table }) => table === first.table) ? variables.partitionKeyIndexes(first.table) : []
}
