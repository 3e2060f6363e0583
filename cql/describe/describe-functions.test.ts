// DESCRIBE of functions, aggregates and whatever else is not in the law of describe.test.ts: run again, it makes the same.
import { beforeEach, describe, expect, test } from "vitest"
import { loadQuickJs } from "../../runtime/real/quickjs-module.ts"
import { CONSISTENCY } from "../errors.ts"
import type { DescribeStatement } from "../language/ast-schema.ts"
import { parseStatement } from "../language/parse.ts"
import { ScriptSandbox } from "../scripts/sandbox.ts"
import { DEFAULT_SCRIPT_LIMITS } from "../scripts/script-host.ts"
import { NO_VALUES } from "../statements/bind-variables.ts"
import { compileDescribe } from "./describe.ts"
import { SchemaSandbox } from "../schema/sandbox.ts"

const scripts = new ScriptSandbox({ load: loadQuickJs, nowMicros: () => 0, limits: DEFAULT_SCRIPT_LIMITS })

function newSandbox(): SchemaSandbox {
  const sandbox = new SchemaSandbox()
  sandbox.functions = { nowMicros: () => 0, randomBytes: (count) => Buffer.alloc(count), scripts }
  return sandbox
}

function texts(sandbox: SchemaSandbox): string[] {
  const plan = compileDescribe(parseStatement("DESCRIBE SCHEMA WITH INTERNALS") as DescribeStatement, null)
  const context = { clusterName: "c", partitioner: "p", snitch: "s", keyspace: null, rangeOwnership: () => new Map<string, string[]>() }
  const { rows, count } = plan.run(sandbox.schema, context, {
    consistency: CONSISTENCY.one, serialConsistency: CONSISTENCY.serial, values: NO_VALUES, skipMetadata: false, pageSize: 0, pagingState: null, hasTimestamp: false,
    timestampHigh: 0, timestampLow: 0, keyspace: null, nowSeconds: -1,
  })
  const values: string[] = []
  for (let at = 0; at < rows.length; at += 4 + rows.readInt32BE(at)) values.push(rows.toString("utf8", at + 4, at + 4 + rows.readInt32BE(at)))
  return Array.from({ length: count }, (_, row) => values[4 * row + 3] as string)
}

let sandbox: SchemaSandbox
beforeEach(() => {
  sandbox = newSandbox()
  sandbox.run("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
  sandbox.run("CREATE TYPE u (a int, b text)")
  sandbox.run("CREATE FUNCTION plain (a int, b text) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE javascript AS 'return a; // it''s'")
  sandbox.run(`CREATE FUNCTION "Quoted" ("A" map<text, frozen<list<int>>>, b tuple<int, u>, c u) CALLED ON NULL INPUT RETURNS set<frozen<u>> LANGUAGE javascript AS $$\n  return null;\n$$`)
  sandbox.run("CREATE FUNCTION dollars () CALLED ON NULL INPUT RETURNS text LANGUAGE javascript AS 'return `${1}` + ''$$'''")
  sandbox.run("CREATE FUNCTION next (s int, v int) CALLED ON NULL INPUT RETURNS int LANGUAGE javascript AS 'return s + v'")
  sandbox.run("CREATE FUNCTION \"Last\" (s int) CALLED ON NULL INPUT RETURNS text LANGUAGE javascript AS 'return String(s)'")
  sandbox.run("CREATE FUNCTION keep (s list<frozen<u>>, v text) CALLED ON NULL INPUT RETURNS list<frozen<u>> LANGUAGE javascript AS 'return s'")
  sandbox.run("CREATE AGGREGATE total (int) SFUNC next STYPE int FINALFUNC \"Last\" INITCOND -5")
  sandbox.run("CREATE AGGREGATE total (text) SFUNC keep STYPE list<frozen<u>> INITCOND [{a: 1, b: 'it''s'}, {a: null, b: 'x'}]")
  sandbox.run("CREATE AGGREGATE bare (int) SFUNC next STYPE int")
  sandbox.run("CREATE TABLE t (k int, c int, v int, x text, PRIMARY KEY (k, c))")
  sandbox.run("ALTER TABLE t DROP x")
  sandbox.run("CREATE INDEX ON t (v)")
  sandbox.run("CREATE MATERIALIZED VIEW m AS SELECT * FROM t WHERE k IN (1, 2) AND c IS NOT NULL PRIMARY KEY (c, k)")
})

test("run again, the output makes the same output, and the same functions", () => {
  const again = newSandbox()
  // Each row is a statement or several, of which only bodies of functions have semicolons inside.
  for (const text of texts(sandbox)) for (const one of text.startsWith("CREATE FUNCTION") ? [text] : text.split(/;\n/)) again.run(one.replace(/;$/, ""))
  expect(texts(again)).toEqual(texts(sandbox))
  const [before, after] = [sandbox, again].map((each) => each.descriptor.keyspaces[0])
  expect(after?.functions).toEqual(before?.functions)
  expect(after?.aggregates).toEqual(before?.aggregates)
  expect(after?.types).toEqual(before?.types)
})

test("types first, then functions, aggregates, tables; sorted", () => {
  expect(texts(sandbox).map((text) => /^CREATE (\w+(?: VIEW)?)/.exec(text)?.[1])).toEqual([
    "KEYSPACE", "TYPE", "FUNCTION", "FUNCTION", "FUNCTION", "FUNCTION", "FUNCTION", "FUNCTION", "AGGREGATE", "AGGREGATE", "AGGREGATE", "TABLE", "INDEX", "MATERIALIZED",
  ].map((kind) => (kind === "MATERIALIZED" ? "MATERIALIZED VIEW" : kind)))
})

describe("switched off", () => {
  const DISABLED = "User-defined functions are disabled in cassandra.yaml - set user_defined_functions_enabled=true to enable"
  test("functions cannot be made, but dropped", () => {
    sandbox.functions = { nowMicros: () => 0, randomBytes: (count) => Buffer.alloc(count) }
    expect(() => sandbox.run("CREATE FUNCTION f () CALLED ON NULL INPUT RETURNS int LANGUAGE javascript AS 'return 1'")).toThrow(DISABLED)
    expect(sandbox.run("DROP FUNCTION plain").event).toEqual({ change: "DROPPED", target: "FUNCTION", keyspace: "ks", name: "plain", argumentTypes: ["int", "text"] })
  })
})

test("a changed type reaches the functions and aggregates that take it", () => {
  sandbox.run("ALTER TYPE u ADD z int")
  const keyspace = sandbox.descriptor.keyspaces[0]
  const quoted = keyspace?.functions?.find(({ name }) => name === "Quoted")
  expect(JSON.stringify(quoted?.argumentTypes[1])).toContain('"z"')
  expect(JSON.stringify(keyspace?.aggregates?.find(({ argumentTypes }) => JSON.stringify(argumentTypes).includes("text"))?.stateType)).toContain('"z"')
  expect(() => sandbox.run("DROP TYPE u")).toThrow("Cannot drop user type 'ks.u' as it is still used by functions ks.Quoted, ks.keep, ks.total")
})
