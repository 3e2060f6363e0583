// Golden file of writes: a statement, `bind` and its values (separated by |), ----, and the mutations it makes, decoded;
// or the error. UPDATE_GOLDENS=1 rewrites them: commit only what you can explain.
import { readFileSync, writeFileSync } from "node:fs"
import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import { Buffer } from "../../runtime/pure.ts"
import { ByteReader } from "../../data/bytes.ts"
import { isMultiCell } from "../../data/cql-type.ts"
import { MutationWriter, mutationKey, visitMutation } from "../../data/mutation.ts"
import { partitionKeyValues } from "../../data/partition-key.ts"
import { CELL_KIND, type Cell, type Deletion, type Row } from "../../data/row.ts"
import { FLAG, decodeClustering, decodeRangeTombstone, decodeRow, itemFlags, rowBytes } from "../../data/row-format.ts"
import type { ColumnSchema, Schema, TableSchema } from "../../data/schema.ts"
import { int64Text } from "../../data/timestamp.ts"
import { decodeValue } from "../../data/types/type-operations.ts"
import { compileStatement } from "../compile.ts"
import { RequestError } from "../errors.ts"
import type { FunctionContext } from "../functions/context.ts"
import type { InsertStatement } from "../language/ast-dml.ts"
import type { Term } from "../language/ast-terms.ts"
import { parseStatement } from "../language/parse.ts"
import type { ColumnSpecification } from "../metadata.ts"
import type { BatchPlan, EncodeContext, Prepared, WritePlan } from "../plan.ts"
import type { BoundValues } from "../request.ts"
import { BindVariables, NO_VALUES } from "../statements/bind-variables.ts"
import { compileTerm } from "../statements/compile-term.ts"
import { SchemaSandbox } from "../schema/sandbox.ts"
import { ModificationPlan } from "./write-plan.ts"

const FILE = new URL("testdata/writes.txt", import.meta.url)
const NOW_SECONDS = 1_700_000_000
/** Stands still: what needs later times must make them itself. */
const FUNCTIONS: FunctionContext = { nowMicros: () => NOW_SECONDS * 1_000_000, randomBytes: (count) => Buffer.alloc(count, 0x55) }

const TABLES = [
  "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  "CREATE TYPE address (street text, no int)",
  "CREATE TABLE simple (k text PRIMARY KEY, b int, a int)",
  "CREATE TABLE wide (p int, q text, c int, d text, s int STATIC, v int, w text, PRIMARY KEY ((p, q), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC)",
  "CREATE TABLE complex (k int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, u address, fl frozen<list<int>>, fu frozen<address>, t tuple<int, text>, v vector<int, 2>)",
  "CREATE TABLE types (k int PRIMARY KEY, ascii ascii, bigint bigint, blob blob, boolean boolean, date date, decimal decimal, double double, duration duration, float float, inet inet, smallint smallint, text text, time time, timestamp timestamp, timeuuid timeuuid, tinyint tinyint, uuid uuid, varint varint)",
  "CREATE TABLE expiring (k int PRIMARY KEY, v int) WITH default_time_to_live = 60",
  "CREATE MATERIALIZED VIEW simple_view AS SELECT * FROM simple WHERE a IS NOT NULL AND k IS NOT NULL PRIMARY KEY (a, k)",
]

let schema: Schema
beforeAll(() => {
  const sandbox = new SchemaSandbox()
  for (const statement of TABLES) sandbox.run(statement)
  schema = sandbox.schema
})

function compile(text: string): Prepared {
  return compileStatement(text, schema, "ks", FUNCTIONS)
}

function contextOf(writer: MutationWriter): EncodeContext {
  return { writer, timestampHigh: 0, timestampLow: 1000, nowSeconds: NOW_SECONDS }
}

/** Values given as terms of CQL, for the statement's variables; `unset` too. */
function bind(texts: readonly string[], variables: readonly ColumnSpecification[]): BoundValues {
  return boundValues(texts.map((text, index) => {
    if (text === "unset") return undefined
    const term = (parseStatement(`INSERT INTO t (a) VALUES (${text})`) as InsertStatement).values[0] as Term
    const variable = variables[index] as ColumnSpecification
    return compileTerm(term, variable, { schema, keyspace: "ks", variables: new BindVariables(), functions: FUNCTIONS, table: null }).value(NO_VALUES) as Buffer | null
  }))
}

/** `undefined` is unset. The buffer starts with bytes of something else, as a frame does. */
function boundValues(values: readonly (Buffer | null | undefined)[]): BoundValues {
  const offsets: number[] = []
  let at = 7
  for (const value of values) {
    offsets.push(at)
    at += value?.length ?? 0
  }
  const lengths = values.map((value) => (value === undefined ? -2 : value === null ? -1 : value.length))
  const buffer = Buffer.concat([Buffer.alloc(7, 0xee), ...values.map((value) => value ?? Buffer.alloc(0))])
  return { buffer, count: values.length, offsets: Int32Array.from(offsets), lengths: Int32Array.from(lengths), names: null }
}

function encode(prepared: Prepared, values: BoundValues): Buffer[] {
  const writer = new MutationWriter()
  const count = (prepared.plan as WritePlan | BatchPlan).encode(values, contextOf(writer))
  const mutations: Buffer[] = []
  for (let at = 0; at < writer.out.length; at += writer.out.buffer.readUInt32BE(at)) mutations.push(Buffer.from(writer.out.buffer.subarray(at, at + writer.out.buffer.readUInt32BE(at))))
  expect(mutations.length).toBe(count)
  return mutations
}

function valueText(column: Pick<ColumnSchema, "type">, bytes: Uint8Array): string {
  const plain = (value: unknown): unknown => {
    if (typeof value === "bigint") return `${value}n`
    if (value instanceof Map) return { map: [...value].map(([key, item]) => [plain(key), plain(item)]) }
    if (Buffer.isBuffer(value)) return "0x" + value.toString("hex")
    if (Array.isArray(value)) return value.map(plain)
    if (typeof value === "number" && !Number.isFinite(value)) return String(value)
    if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]))
    return value
  }
  return JSON.stringify(plain(decodeValue(column.type, Buffer.from(bytes))))
}

function pathText(column: ColumnSchema, path: Uint8Array): string {
  const { type } = column
  if (type.kind === "list") return Buffer.from(path).toString("hex")
  if (type.kind === "set") return valueText({ type: type.element }, path)
  if (type.kind === "map") return valueText({ type: type.key }, path)
  return type.kind === "udt" ? (type.fields[Buffer.from(path).readUInt16BE(0)]?.name ?? "?") : "?"
}

function cellText(table: TableSchema, cell: Cell): string {
  const column = table.columnById[cell.column] as ColumnSchema
  const place = cell.path === null ? column.name : `${column.name}[${pathText(column, cell.path)}]`
  const stamp = timeText(cell.timestampHigh, cell.timestampLow)
  if (cell.kind === CELL_KIND.tombstone) return `${place} deleted at ${seconds(cell.expiresAt)}${stamp}`
  const { type } = column
  const valueType = !isMultiCell(type) ? type : type.kind === "list" ? type.element : type.kind === "map" ? type.value : null
  const value = Buffer.from(cell.value as Uint8Array)
  const text = valueType === null ? "0x" + value.toString("hex") : valueText({ type: valueType }, value)
  return `${place} = ${text}${cell.kind === CELL_KIND.expiring ? ` for ${cell.ttlSeconds} until ${seconds(cell.expiresAt)}` : ""}${stamp}`
}

const seconds = (at: number): string => (at === NOW_SECONDS ? "now" : `now+${at - NOW_SECONDS}`)
/** Nothing for the request's timestamp. */
const timeText = (high: number, low: number): string => (high === 0 && low === 1000 ? "" : ` @${int64Text(high, low)}`)
const deletionText = (deletion: Deletion): string => `deleted at ${seconds(deletion.localDeletionTime)}${timeText(deletion.timestampHigh, deletion.timestampLow)}`

function clusteringText(table: TableSchema, clustering: Uint8Array): string {
  return `(${decodeClustering(clustering).map((value, index) => valueText(table.clustering[index] as ColumnSchema, value)).join(", ")})`
}

function rowText(table: TableSchema, row: Row, simple: boolean): string[] {
  const head = row.isStatic ? "static" : `row ${clusteringText(table, row.clustering)}`
  const { marker } = row
  const marked = marker === null ? "" : marker.expiresAt === 0 ? ` marker${timeText(marker.timestampHigh, marker.timestampLow)}` : ` marker for ${marker.ttlSeconds} until ${seconds(marker.expiresAt)}`
  return [
    `  ${head}${simple ? " simple" : ""}${marked}${row.deletion === null ? "" : " " + deletionText(row.deletion)}`,
    ...row.complexDeletions.map(({ column, deletion }) => `    ${table.columnById[column]?.name} ${deletionText(deletion)}`),
    ...row.cells.map((cell) => "    " + cellText(table, cell)),
  ]
}

function mutationText(mutation: Buffer): string[] {
  const lines: string[] = []
  let table: TableSchema | null = null
  visitMutation(new ByteReader(mutation), {
    update(id, deletion) {
      table = schema.tableById(id) as TableSchema
      const key = partitionKeyValues(table, mutationKey(mutation)).map((value, index) => valueText(table?.partitionKey[index] as ColumnSchema, value))
      lines.push(`${table.name} ${key.join(", ")}${deletion === null ? "" : " " + deletionText(deletion)}`)
    },
    item(bytes, from, to) {
      const owner = table as unknown as TableSchema
      const reader = new ByteReader(bytes, from, to)
      if ((itemFlags(bytes, from) & FLAG.range) !== 0) {
        const { start, startInclusive, end, endInclusive, deletion } = decodeRangeTombstone(reader)
        lines.push(`  range ${startInclusive ? "[" : "]"}${clusteringText(owner, start)}, ${clusteringText(owner, end)}${endInclusive ? "]" : "["} ${deletionText(deletion)}`)
        return
      }
      const row = decodeRow(reader)
      expect(rowBytes(row).equals(bytes.subarray(from, to)), "the row is canonical").toBe(true)
      lines.push(...rowText(owner, row, (itemFlags(bytes, from) & FLAG.simple) !== 0))
    },
  })
  return lines
}

function run(input: string): string {
  const lines = input.split("\n")
  const values = lines.filter((line) => line.startsWith("bind ")).map((line) => line.slice(5).split(" | "))
  const statement = lines.filter((line) => !line.startsWith("bind ")).join("\n")
  try {
    const prepared = compile(statement)
    const variables = prepared.bindVariables
    const head = variables.length === 0 ? [] : [`variables ${variables.map(({ name }) => name).join(", ")}; key ${JSON.stringify(prepared.partitionKeyIndexes)}`]
    const runs = (values.length === 0 ? [[]] : values).map((texts) => {
      const mutations = encode(prepared, bind(texts, variables))
      return mutations.length === 0 ? "nothing" : mutations.map((mutation) => mutationText(mutation).join("\n")).join("\n")
    })
    return [...head, ...runs].join("\n")
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    return `${error.name} 0x${error.code.toString(16)}: ${error.message}`
  }
}

test("writes make the mutations of the golden file", () => {
  const golden = readFileSync(FILE, "utf8")
  const text = golden.split(/\n\n+/).map((block) => {
    const lines = block.trimEnd().split("\n")
    const comments = lines.filter((line) => line.startsWith("#"))
    const divider = lines.indexOf("----")
    if (divider < 0) return lines.join("\n") + "\n"
    const input = lines.slice(comments.length, divider).join("\n")
    return [...comments, input, "----", run(input)].join("\n") + "\n"
  }).join("\n")
  if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(FILE, text)
  expect(text).toBe(readFileSync(FILE, "utf8"))
})

describe("the simple form", () => {
  /** The same plan without its short cut. */
  function general(prepared: Prepared): Prepared {
    const plan = prepared.plan as ModificationPlan
    expect(plan.definition.simple, "the statement has the simple form").not.toBeNull()
    const variables = { specifications: () => prepared.bindVariables } as BindVariables
    return { ...prepared, plan: new ModificationPlan({ ...plan.definition, simple: null }, variables) }
  }

  const STATEMENTS = [
    "INSERT INTO simple (k, a, b) VALUES (?, ?, ?)",
    "INSERT INTO simple (k) VALUES (?)",
    "INSERT INTO simple (k, a) VALUES ('key', 5)",
    "UPDATE simple SET b = ?, a = 7 WHERE k = ?",
    "INSERT INTO wide (p, q, c, d, s, v, w) VALUES (?, ?, ?, ?, ?, ?, ?)",
    "INSERT INTO wide (s, q, p) VALUES (?, ?, 5)",
    "UPDATE wide SET s = ? WHERE p = ? AND q = ?",
    "UPDATE wide SET w = ?, v = ? WHERE d = ? AND c = ? AND q = ? AND p = ?",
    "UPDATE wide SET w = ?, s = ? WHERE d = ? AND c = 3 AND q = '' AND p = ?",
    "INSERT INTO complex (k, fl, fu, t, v) VALUES (?, ?, {street: 'x'}, ?, ?)",
  ]
  test.each(STATEMENTS)("%s gives the bytes of the general way", (text) => {
    const prepared = compile(text)
    const other = general(prepared)
    const value = (variable: ColumnSpecification): fc.Arbitrary<Buffer | null | undefined> => {
      const { type } = variable
      const present = type.kind === "native" && type.name === "int" ? fc.integer().map((number) => Buffer.from(Int32Array.of(number).buffer))
        : type.kind === "native" ? fc.string({ maxLength: 20 }).map((string) => Buffer.from(string))
        : type.kind === "list" ? fc.array(fc.nat(255), { maxLength: 3 }).map((items) => Buffer.concat([Buffer.from([0, 0, 0, items.length]), ...items.map((item) => Buffer.from([0, 0, 0, 4, 0, 0, 0, item]))]))
        : fc.constant(Buffer.alloc(8))
      return fc.oneof({ weight: 20, arbitrary: present }, { weight: 1, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constant(undefined) })
    }
    const outcome = (statement: Prepared, values: BoundValues): string[] => {
      try {
        return encode(statement, values).map((mutation) => mutation.toString("hex"))
      } catch (error) {
        if (!(error instanceof RequestError)) throw error
        return [error.message]
      }
    }
    fc.assert(fc.property(fc.tuple(...prepared.bindVariables.map(value)), (values) => {
      const bound = boundValues(values)
      expect(outcome(prepared, bound)).toEqual(outcome(other, bound))
    }), { seed: 5, numRuns: 200 })
  })
})

test("values sent by name are found, others are refused", () => {
  const prepared = compile("INSERT INTO simple (k, a) VALUES (:key, :a)")
  const values = boundValues([Buffer.from([0, 0, 0, 5]), Buffer.from("x")])
  const named = { ...values, names: ["a", "key"] }
  expect(encode(prepared, named).flatMap(mutationText)).toEqual(['simple "x"', "  row () simple marker", "    a = 5"])
  expect(() => encode(prepared, { ...values, names: ["a", "k"] })).toThrow("Invalid amount of bind variables")
  expect(() => encode(prepared, boundValues([Buffer.from("x")]))).toThrow("Invalid amount of bind variables")
})

test("values that lie together in the frame, apart, or in another order make the same row", () => {
  const prepared = compile("INSERT INTO simple (k, a, b) VALUES (?, ?, ?)")
  const frame = (...order: readonly string[]): BoundValues => {
    const value: Readonly<Record<string, Buffer>> = { k: Buffer.from("key"), b: Buffer.from([0, 0, 0, 1]), a: Buffer.from([0, 0, 0, 2]), gap: Buffer.alloc(3) }
    const at: Record<string, number> = {}
    const parts: Buffer[] = []
    let size = 0
    for (const name of order) {
      const bytes = value[name] as Buffer
      const length = Buffer.alloc(4)
      length.writeInt32BE(bytes.length)
      at[name] = size + 4
      size += 4 + bytes.length
      parts.push(length, bytes)
    }
    const names = ["k", "a", "b"]
    return { buffer: Buffer.concat(parts), count: 3, offsets: Int32Array.from(names, (name) => at[name] as number), lengths: Int32Array.of(3, 4, 4), names: null }
  }
  const together = encode(prepared, frame("k", "a", "b"))
  expect(together.flatMap(mutationText)).toEqual(['simple "key"', "  row () simple marker", "    a = 2", "    b = 1"])
  for (const order of [["a", "b", "k"], ["k", "b", "a"], ["b", "k", "a"], ["k", "a", "gap", "b"]]) expect(encode(prepared, frame(...order))).toEqual(together)
})

test("a prepared statement's id is that of its keyspace and text", () => {
  expect(compile("INSERT INTO simple (k) VALUES (?)").id.toString("hex")).toBe("5fccc271fb2a33e1c2a290a7e2f742d4")
})
