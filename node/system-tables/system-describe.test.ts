// The system keyspaces as DESCRIBE prints them and as DDL sees them.
import { expect, test } from "vitest"
import type { DescribeStatement, SchemaStatement } from "../../cql/language/ast-schema.ts"
import { parseStatement } from "../../cql/language/parse.ts"
import { CONSISTENCY } from "../../cql/errors.ts"
import { NO_VALUES } from "../../cql/statements/bind-variables.ts"
import { compileDescribe } from "../../cql/describe/describe.ts"
import { SchemaSandbox } from "../../cql/schema/sandbox.ts"
import { compileSchemaStatement } from "../../cql/schema/schema-statement.ts"
import { resolveSchema } from "../../data/resolve-schema.ts"
import { systemKeyspaces } from "./system-keyspaces.ts"

const DESCRIPTOR = { keyspaces: [], nextTableId: 1000 }
const SCHEMA = resolveSchema(DESCRIPTOR, systemKeyspaces())

function describe(text: string): string[] {
  const { count, rows } = compileDescribe(parseStatement(text) as DescribeStatement, null).run(
    SCHEMA,
    { clusterName: "c", partitioner: "p", snitch: "s", keyspace: null, rangeOwnership: () => new Map() },
    {
      consistency: CONSISTENCY.one, serialConsistency: CONSISTENCY.serial, values: NO_VALUES, skipMetadata: false, pageSize: 0, pagingState: null,
      hasTimestamp: false, timestampHigh: 0, timestampLow: 0, keyspace: null, nowSeconds: -1,
    },
  )
  const values: string[] = []
  for (let at = 0; at < rows.length; ) {
    const size = rows.readInt32BE(at)
    values.push(rows.toString("utf8", at + 4, at + 4 + size))
    at += 4 + size
  }
  return values.filter((_, index) => index % (values.length / count) === 3)
}

test("a virtual table is a comment", () => {
  expect(describe("DESCRIBE TABLE system_views.clients")).toEqual([
    `/*
Warning: Table system_views.clients is a virtual table and cannot be recreated with CQL.
Structure, for reference:
VIRTUAL TABLE system_views.clients (
    address inet,
    port int,
    client_options frozen<map<text, text>>,
    connection_stage text,
    driver_name text,
    driver_version text,
    hostname text,
    keyspace_name text,
    protocol_version int,
    request_count bigint,
    ssl_cipher_suite text,
    ssl_enabled boolean,
    ssl_protocol text,
    username text,
    PRIMARY KEY (address, port)
) WITH CLUSTERING ORDER BY (port ASC)
    AND comment = 'currently connected clients';
*/`,
  ])
})

test("system_views has Cassandra's tables and columns, view_updates and gossip_info.alive apart", async () => {
  await expect(`${describe("DESCRIBE KEYSPACE system_views").join("\n\n")}\n`).toMatchFileSnapshot("testdata/system-views.txt")
})

test("FULL SCHEMA tells all, SCHEMA none of the system's", () => {
  const elements = systemKeyspaces().reduce((sum, keyspace) => sum + 1 + keyspace.tables.size, 0)
  expect(describe("DESCRIBE FULL SCHEMA")).toHaveLength(elements)
  expect(describe("DESCRIBE SCHEMA")).toEqual([])
})

test("the stored form of every system table, run again, is the same text", () => {
  for (const keyspace of systemKeyspaces()) {
    if (keyspace.virtual) continue
    const sandbox = new SchemaSandbox()
    sandbox.run(`CREATE KEYSPACE ${keyspace.name} WITH replication = {'class': 'SimpleStrategy'}`)
    for (const text of describe(`DESCRIBE KEYSPACE ${keyspace.name}`).slice(1)) expect(() => sandbox.run(text)).not.toThrow()
    for (const table of keyspace.tables.values()) {
      expect(sandbox.table(table.name, keyspace.name).columns).toEqual(table.descriptor.columns)
      expect(sandbox.table(table.name, keyspace.name).options).toEqual(table.descriptor.options)
    }
  }
})

test.each<[string, string]>([
  ["CREATE TABLE system.t (a int PRIMARY KEY)", "system keyspace is not user-modifiable."],
  ["DROP TABLE system_traces.sessions", "Cannot DROP <table system_traces.sessions>"],
  ["ALTER KEYSPACE system_views WITH durable_writes = true", "system_views keyspace is not user-modifiable."],
  ["CREATE KEYSPACE system WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}", "System keyspace 'system' is not user-modifiable"],
])("%s", (text, message) => {
  const plan = compileSchemaStatement(parseStatement(text) as SchemaStatement, null, { nowMicros: () => 0, randomBytes: () => Buffer.alloc(0) })
  expect(() => plan.transform(SCHEMA, DESCRIPTOR, 0, () => "")).toThrow(message)
})
