import { expect, test } from "vitest"
import { SchemaSandbox } from "../cql/schema/sandbox.ts"
import { loadQuickJs } from "../runtime/real/quickjs-module.ts"
import { ScriptSandbox } from "../cql/scripts/sandbox.ts"
import { DEFAULT_SCRIPT_LIMITS } from "../cql/scripts/script-host.ts"
import type { Snapshot } from "../coordinator/cluster/cluster-metadata.ts"
import { schemaEvents } from "./events.ts"

/** What clients hear when the statement is run. */
function eventsOf(sandbox: SchemaSandbox, statement: string): string[] {
  const before = { schema: sandbox.schema } as Snapshot
  sandbox.run(statement)
  return schemaEvents(before, { schema: sandbox.schema } as Snapshot).map(
    ({ change, target, name, argumentTypes }) => `${change} ${target} ${name}${argumentTypes === undefined ? "" : `(${argumentTypes.join(", ")})`}`,
  )
}

test("functions and aggregates are told of by their signatures", () => {
  const sandbox = new SchemaSandbox()
  const scripts = new ScriptSandbox({ load: loadQuickJs, nowMicros: () => 0, limits: DEFAULT_SCRIPT_LIMITS })
  sandbox.functions = { nowMicros: () => 0, randomBytes: (count) => Buffer.alloc(count), scripts }
  expect(eventsOf(sandbox, "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")).toEqual(["CREATED KEYSPACE "])
  sandbox.run("CREATE TYPE u (a int)")
  const f = (body: string, replace = ""): string => `CREATE ${replace} FUNCTION f (s int, v u) CALLED ON NULL INPUT RETURNS int LANGUAGE javascript AS '${body}'`
  expect(eventsOf(sandbox, f("return 1"))).toEqual(["CREATED FUNCTION f(int, u)"])
  expect(eventsOf(sandbox, f("return 2", "OR REPLACE"))).toEqual(["UPDATED FUNCTION f(int, u)"])
  expect(eventsOf(sandbox, f("return 2", "OR REPLACE"))).toEqual([])
  expect(eventsOf(sandbox, "CREATE FUNCTION f () CALLED ON NULL INPUT RETURNS int LANGUAGE javascript AS 'return 1'")).toEqual(["CREATED FUNCTION f()"])
  expect(eventsOf(sandbox, "CREATE AGGREGATE g (u) SFUNC f STYPE int INITCOND 1")).toEqual(["CREATED AGGREGATE g(u)"])
  expect(eventsOf(sandbox, "CREATE OR REPLACE AGGREGATE g (u) SFUNC f STYPE int INITCOND 2")).toEqual(["UPDATED AGGREGATE g(u)"])
  // Functions take the type as it is now, and are themselves what they were.
  expect(eventsOf(sandbox, "ALTER TYPE u ADD b int")).toEqual(["UPDATED TYPE u"])
  expect(eventsOf(sandbox, "DROP AGGREGATE g")).toEqual(["DROPPED AGGREGATE g(u)"])
  expect(eventsOf(sandbox, "DROP FUNCTION f(int, u)")).toEqual(["DROPPED FUNCTION f(int, u)"])
})
