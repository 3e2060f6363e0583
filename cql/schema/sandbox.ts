// A schema that statements are run against one after the other, without a cluster: for tests.
import { resolveSchema } from "../../data/resolve-schema.ts"
import type { Schema, SchemaDescriptor, TableDescriptor } from "../../data/schema.ts"
import { assert } from "../../runtime/pure.ts"
import { parseStatement } from "../language/parse.ts"
import type { SchemaStatement } from "../language/ast-schema.ts"
import type { FunctionContext } from "../functions/context.ts"
import type { ClusterShape, SchemaOutcome } from "../plan.ts"
import { compileSchemaStatement } from "./schema-statement.ts"

export class SchemaSandbox {
  descriptor: SchemaDescriptor = { keyspaces: [], nextTableId: 1000 }
  /** The session's keyspace. */
  keyspace: string | null = "ks"
  cluster: ClusterShape | undefined = undefined
  nowMicros = 1_700_000_000_000_000
  functions: FunctionContext = { nowMicros: () => this.nowMicros, randomBytes: () => assert(false, "schema statements draw nothing at random") as never }
  #uuids = 0

  get schema(): Schema {
    return resolveSchema(this.descriptor, [])
  }

  /** Parses, compiles and applies one schema statement. Throws RequestErrors, and then nothing has changed. */
  run(text: string): SchemaOutcome {
    const plan = compileSchemaStatement(parseStatement(text) as SchemaStatement, this.keyspace, this.functions)
    const newUuid = (): string => `00000000-0000-4000-8000-${String(++this.#uuids).padStart(12, "0")}`
    const outcome = plan.transform(this.schema, this.descriptor, this.nowMicros, newUuid, this.cluster)
    this.descriptor = outcome.next
    return outcome
  }

  table(name: string, keyspace = "ks"): TableDescriptor {
    const table = this.descriptor.keyspaces.find((each) => each.name === keyspace)?.tables.find((each) => each.name === name)
    assert(table !== undefined, `table ${keyspace}.${name} exists`)
    return table
  }
}
