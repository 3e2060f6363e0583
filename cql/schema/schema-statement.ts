// Compiles a schema statement: what can be checked without a schema is checked at once, the rest in `transform`, which
// sees the schema of the moment and may be run again against a newer one.
import { canonicalJson } from "../../data/canonical-json.ts"
import type { SchemaDescriptor } from "../../data/schema.ts"
import type { FunctionContext } from "../functions/context.ts"
import type { SchemaStatement } from "../language/ast-schema.ts"
import type { SchemaOutcome, SchemaPlan } from "../plan.ts"
import { alterTable, dropTable } from "./alter-table.ts"
import { alterView, dropView } from "./alter-view.ts"
import { createAggregate, dropAggregate } from "./aggregates.ts"
import { createTable } from "./create-table.ts"
import { createFunction, dropFunction } from "./functions.ts"
import { createIndex, dropIndex } from "./indexes.ts"
import { alterKeyspace, createKeyspace, dropKeyspace } from "./keyspace.ts"
import { alterType, createType, dropType } from "./user-types.ts"
import { createTrigger, dropTrigger } from "./triggers.ts"
import { createView } from "./view.ts"

/** `keyspace`: the session's; `functions`: what runs the bodies of functions. Throws RequestErrors. */
export function compileSchemaStatement(statement: SchemaStatement, keyspace: string | null, functions: FunctionContext): SchemaPlan {
  const transform = transformOf(statement, keyspace, functions)
  return { kind: "schema", transform: (schema, descriptor, ...rest) => withoutNothing(transform(schema, descriptor, ...rest), descriptor) }
}

/** What alters nothing is no event. */
function withoutNothing(outcome: SchemaOutcome, before: SchemaDescriptor): SchemaOutcome {
  if (outcome.event?.change !== "UPDATED" || canonicalJson(outcome.next) !== canonicalJson(before)) return outcome
  return { ...outcome, next: before, event: null }
}

function transformOf(statement: SchemaStatement, keyspace: string | null, functions: FunctionContext): SchemaPlan["transform"] {
  switch (statement.kind) {
    case "createKeyspace":
      return createKeyspace(statement)
    case "alterKeyspace":
      return alterKeyspace(statement)
    case "dropKeyspace":
      return dropKeyspace(statement)
    case "createTable":
      return createTable(statement, keyspace)
    case "alterTable":
      return alterTable(statement, keyspace)
    case "dropTable":
      return dropTable(statement, keyspace)
    case "createView":
      return createView(statement, keyspace, functions)
    case "alterView":
      return alterView(statement, keyspace)
    case "dropView":
      return dropView(statement, keyspace)
    case "createType":
      return createType(statement, keyspace)
    case "alterType":
      return alterType(statement, keyspace)
    case "dropType":
      return dropType(statement, keyspace)
    case "createIndex":
      return createIndex(statement, keyspace)
    case "dropIndex":
      return dropIndex(statement, keyspace)
    case "createFunction":
      return createFunction(statement, keyspace, functions)
    case "dropFunction":
      return dropFunction(statement, keyspace)
    case "createAggregate":
      return createAggregate(statement, keyspace, functions)
    case "dropAggregate":
      return dropAggregate(statement, keyspace)
    case "createTrigger":
      return createTrigger(statement, keyspace)
    case "dropTrigger":
      return dropTrigger(statement, keyspace)
  }
}
