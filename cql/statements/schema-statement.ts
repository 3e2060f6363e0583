// Compiles a schema statement: what can be checked without a schema is checked at once, the rest in `transform`, which
// sees the schema of the moment and may be run again against a newer one.
import { canonicalJson } from "../../data/canonical-json.ts"
import type { SchemaDescriptor } from "../../data/schema.ts"
import { InvalidRequestError } from "../errors.ts"
import type { SchemaStatement } from "../language/ast-schema.ts"
import type { SchemaOutcome, SchemaPlan } from "../plan.ts"
import { alterTable, dropTable } from "./schema-alter-table.ts"
import { alterView, dropView } from "./schema-alter-view.ts"
import { createTable } from "./schema-create-table.ts"
import { alterKeyspace, createKeyspace, dropKeyspace } from "./schema-keyspace.ts"
import { alterType, createType, dropType } from "./schema-user-types.ts"
import { createView } from "./schema-view.ts"

/** `keyspace`: the session's. Throws RequestErrors. */
export function compileSchemaStatement(statement: SchemaStatement, keyspace: string | null): SchemaPlan {
  const transform = transformOf(statement, keyspace)
  return { kind: "schema", transform: (schema, descriptor, ...rest) => withoutNothing(transform(schema, descriptor, ...rest), descriptor) }
}

/** What alters nothing is no event. */
function withoutNothing(outcome: SchemaOutcome, before: SchemaDescriptor): SchemaOutcome {
  if (outcome.event?.change !== "UPDATED" || canonicalJson(outcome.next) !== canonicalJson(before)) return outcome
  return { ...outcome, next: before, event: null }
}

function transformOf(statement: SchemaStatement, keyspace: string | null): SchemaPlan["transform"] {
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
      return createView(statement, keyspace)
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
    case "dropIndex":
      throw new InvalidRequestError("Secondary indexes are not supported")
    case "createFunction":
    case "dropFunction":
      throw new InvalidRequestError("User-defined functions are not supported")
    case "createAggregate":
    case "dropAggregate":
      throw new InvalidRequestError("User-defined aggregates are not supported")
    case "createTrigger":
    case "dropTrigger":
      throw new InvalidRequestError("Triggers are not supported")
  }
}
