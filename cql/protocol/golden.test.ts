// Golden files: every message there is, as annotated hexdumps in testdata/. UPDATE_GOLDENS=1 rewrites them; commit only
// what you can explain from the specification: clients of others depend on each byte.
import { readFileSync, writeFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { Buffer } from "../../runtime/pure.ts"
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"
import {
  AlreadyExistsError, ConfigurationError, CONSISTENCY, ERROR_CODE, InvalidRequestError, ProtocolError, ReadFailureError, ReadTimeoutError, RequestError,
  SyntaxError, CasWriteUnknownError, UnavailableError, UnpreparedError, WriteFailureError, WriteTimeoutError,
} from "../errors.ts"
import type { ColumnSpecification, PreparedDescription, ResultMetadata } from "../metadata.ts"
import type { Reply, SchemaEvent } from "../request.ts"
import { FRAME_FLAG } from "./frame.ts"
import { encodeSegments } from "./segment.ts"
import { bytesOfDump, dissectFrame, dissectSegment } from "./testing-dissect.ts"
import { setup } from "./testing-server.ts"
import {
  batchFrame, executeFrame, openSegments, optionsFrame, prepareFrame, queryFrame, registerFrame, segmentBytes, startupFrame,
} from "./testing.ts"

const TESTDATA = new URL("testdata/", import.meta.url)
const VERSIONS = [3, 4, 5]

interface Case {
  title: string
  bytes: Buffer
  lines?: string[]
  /** What the handler was given. */
  decoded?: string
}

function compare(name: string, cases: readonly Case[]): void {
  const file = new URL(name + ".txt", TESTDATA)
  const text = cases.map(({ title, bytes, lines = dissectFrame(bytes), decoded }) => {
    expect(bytesOfDump(lines).equals(bytes), "the dump holds every byte").toBe(true)
    return ["## " + title, ...lines, ...(decoded === undefined ? [] : ["-> " + decoded]), ""].join("\n")
  }).join("\n")
  if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(file, text)
  expect(text).toBe(readFileSync(file, "utf8"))
}

/** Sends the request and tells what the handler was called with. */
function decoded(version: number, frame: Buffer): string {
  const { handler, start } = setup()
  start(version).send(version === 5 ? segmentBytes(frame) : frame)
  const call = handler.calls[0]
  if (call === undefined) throw new Error("no call")
  const options = Object.entries(call.options).map(([key, value]) => `${key}=${value instanceof Uint8Array ? Buffer.from(value).toString("hex") : JSON.stringify(value)}`)
  return `${call.kind} ${JSON.stringify(call.text)} ${options.sort().join(" ")}`
}

/** What a server answers in this version, as one frame. */
function answered(version: number, answer: (reply: Reply) => void, flags = 0): Buffer {
  const { handler, start } = setup()
  handler.answer = ({ reply }) => answer(reply)
  const client = start(version)
  const frame = queryFrame("x", { skipMetadata: true }, { version, stream: 0x0102, flags })
  client.send(version === 5 ? segmentBytes(frame) : frame)
  const bytes = client.takeBytes()
  return version === 5 ? openSegments(bytes, false) : bytes
}

function forVersions(title: string, bytes: (version: number) => Buffer): Case[] {
  return VERSIONS.map((version) => ({ title: `v${version}: ${title}`, bytes: bytes(version) }))
}

const ID = Buffer.from("0123456789abcdef")
const NATIVE: NativeTypeName[] = [
  "ascii", "bigint", "blob", "boolean", "counter", "date", "decimal", "double", "duration", "float", "inet", "int", "smallint", "text", "time", "timestamp",
  "timeuuid", "tinyint", "uuid", "varint",
]
const native = (name: NativeTypeName): CqlType => ({ kind: "native", name })
const column = (name: string, type: CqlType, table = "t"): ColumnSpecification => ({ keyspace: "ks", table, name, type })
const COLLECTIONS: CqlType[] = [
  { kind: "list", element: native("int"), frozen: false },
  { kind: "set", element: { kind: "tuple", elements: [native("int"), native("text")] }, frozen: true },
  { kind: "map", key: native("text"), value: native("smallint"), frozen: false },
  { kind: "udt", keyspace: "ks", name: "address", fields: [{ name: "street", type: native("text") }, { name: "at", type: native("date") }], frozen: true },
  { kind: "vector", element: native("float"), dimension: 3 },
]
const metadata = (columns: ColumnSpecification[]): ResultMetadata => ({ columns, id: Buffer.from("metadata-id-here") })
const TWO = metadata([column("pk", native("int")), column("v", native("text"))])
const TWO_ROWS = Buffer.from("00000004" + "00000007" + "00000002" + "6869" + "00000004" + "00000008" + "ffffffff", "hex")

describe("requests", () => {
  test("STARTUP", () =>
    compare("startup", forVersions("a driver's", (version) => startupFrame({ CQL_VERSION: "3.0.0", COMPRESSION: "lz4" }, { version, stream: 0 }))))
  test("OPTIONS", () => compare("options", forVersions("", (version) => optionsFrame({ version }))))
  test("REGISTER", () => compare("register", forVersions("all", (version) => registerFrame(["TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"], { version }))))

  test("QUERY", () => {
    const everything = {
      consistency: CONSISTENCY.localQuorum, values: [Buffer.from("abc"), null, Buffer.alloc(0)], skipMetadata: true, pageSize: 5000, pagingState: Buffer.from("state"),
      serialConsistency: CONSISTENCY.localSerial, timestamp: [0x0005fbf1, 0xdeadbeef] as const,
    }
    const cases = VERSIONS.flatMap((version) => [
      { title: `v${version}: bare`, bytes: queryFrame("SELECT * FROM t", {}, { version }) },
      {
        title: `v${version}: everything`,
        bytes: queryFrame("SELECT ü", { ...everything, ...(version === 5 ? { keyspace: "ks", nowSeconds: 1_700_000_000 } : {}) }, { version }),
      },
      { title: `v${version}: names`, bytes: queryFrame("x", { values: [ID, undefined], names: ["a", "b"] }, { version }) },
    ].map((each) => ({ ...each, decoded: decoded(version, each.bytes) })))
    compare("query", cases)
  })

  test("PREPARE", () => {
    const cases = forVersions("", (version) => prepareFrame("INSERT", null, { version }))
    cases.push({ title: "v5: keyspace", bytes: prepareFrame("INSERT", "other", { version: 5 }) })
    compare("prepare", cases.map((each) => ({ ...each, decoded: decoded(each.bytes[0] as number, each.bytes) })))
  })

  test("EXECUTE", () => {
    const cases = forVersions("", (version) => executeFrame(ID, TWO.id, { consistency: CONSISTENCY.quorum, values: [Buffer.from([0, 0, 0, 1]), undefined], timestamp: [-1, 0xffffffff] }, { version }))
    compare("execute", cases.map((each) => ({ ...each, decoded: decoded(each.bytes[0] as number, each.bytes) })))
  })

  test("BATCH", () => {
    const cases = forVersions("", (version) =>
      batchFrame(1, [{ query: "INSERT", values: [Buffer.from("x")] }, { query: ID, values: [] }],
        { consistency: CONSISTENCY.one, serialConsistency: CONSISTENCY.serial, timestamp: [0, 1], ...(version === 5 ? { keyspace: "ks", nowSeconds: 5 } : {}) }, { version }))
    compare("batch", cases.map((each) => ({ ...each, decoded: decoded(each.bytes[0] as number, each.bytes) })))
  })
})

describe("answers", () => {
  test("READY and SUPPORTED", () => {
    const cases = VERSIONS.flatMap((version) => {
      const client = setup().connect()
      client.send(optionsFrame({ version, stream: 2 }))
      const supported = client.takeBytes()
      client.send(startupFrame({ CQL_VERSION: "3.0.0" }, { version, stream: 3 }))
      return [{ title: `v${version}: SUPPORTED`, bytes: supported }, { title: `v${version}: READY`, bytes: client.takeBytes() }]
    })
    compare("supported", cases.filter((_, i) => i % 2 === 0))
    compare("ready", cases.filter((_, i) => i % 2 === 1))
  })

  test("RESULT Void, with tracing and warnings", () => {
    const noted = (reply: Reply) => {
      reply.tracingId = ID
      reply.warnings = ["first", "zweite Ü"]
      reply.void()
    }
    compare("result-void", [...forVersions("plain", (version) => answered(version, (reply) => reply.void())), ...forVersions("noted", (version) => answered(version, noted, FRAME_FLAG.tracing))])
  })
  test("RESULT Set_keyspace", () => compare("result-set-keyspace", forVersions("", (version) => answered(version, (reply) => reply.setKeyspace("ks")))))

  test("RESULT Rows", () => {
    const twoTables = metadata([column("pk", native("int"), "a"), column("v", native("text"), "b")])
    const rows = (version: number, of: ResultMetadata, skip: boolean, changed: boolean, page: Buffer | null) => answered(version, (reply) => reply.rows(of, skip, changed, page, 2, TWO_ROWS))
    compare("result-rows", [
      ...forVersions("one table", (version) => rows(version, TWO, false, false, null)),
      ...forVersions("a page of two tables", (version) => rows(version, twoTables, false, false, Buffer.from("next"))),
      ...forVersions("metadata skipped", (version) => rows(version, TWO, true, false, Buffer.from("next"))),
      ...forVersions("metadata changed", (version) => rows(version, TWO, true, true, null)),
    ])
  })
  test("types", () => {
    const of = metadata([...NATIVE.map((name) => column(name, native(name))), ...COLLECTIONS.map((type) => column(type.kind, type))])
    compare("types", forVersions("every type", (version) => answered(version, (reply) => reply.rows(of, false, false, null, 0, Buffer.alloc(0)))))
  })

  test("RESULT Prepared", () => {
    const statement: PreparedDescription = { id: ID, bindVariables: [column("v", native("text")), column("pk", native("int"))], partitionKeyIndexes: [1], resultMetadata: null }
    compare("result-prepared", [
      ...forVersions("a write", (version) => answered(version, (reply) => reply.prepared(statement))),
      ...forVersions("a read", (version) => answered(version, (reply) => reply.prepared({ ...statement, bindVariables: [], partitionKeyIndexes: [], resultMetadata: TWO }))),
    ])
  })

  const changes: SchemaEvent[] = [
    { change: "CREATED", target: "KEYSPACE", keyspace: "ks", name: "" },
    { change: "UPDATED", target: "TABLE", keyspace: "ks", name: "t" },
    { change: "DROPPED", target: "TYPE", keyspace: "ks", name: "address" },
    { change: "CREATED", target: "FUNCTION", keyspace: "ks", name: "f", argumentTypes: ["int", "text"] },
    { change: "DROPPED", target: "AGGREGATE", keyspace: "ks", name: "a", argumentTypes: [] },
  ]
  test("RESULT Schema_change", () =>
    compare("result-schema-change", changes.flatMap((event) => forVersions(`${event.change} ${event.target}`, (version) => answered(version, (reply) => reply.schemaChange(event))))))

  test("EVENT", () => {
    const events = [
      changes[1] as SchemaEvent, changes[3] as SchemaEvent,
      { kind: "status", change: "DOWN", address: "127.0.0.2", port: 9042 } as const,
      { kind: "topology", change: "REMOVED_NODE", address: "fe80::1:2", port: 9142 } as const,
    ]
    compare("event", events.flatMap((event) => forVersions(event.change, (version) => {
      const { start, server, endTurn } = setup()
      const client = start(version)
      const register = registerFrame(["TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"], { version })
      client.send(version === 5 ? segmentBytes(register) : register)
      client.takeBytes()
      server.broadcast(event)
      endTurn()
      const bytes = client.takeBytes()
      return version === 5 ? openSegments(bytes, false) : bytes
    })))
  })

  test("ERROR", () => {
    const failures = [{ address: "127.0.0.2:7000", code: 0 }, { address: "::1", code: 3 }]
    const errors: RequestError[] = [
      new RequestError(ERROR_CODE.server, "something broke"), new ProtocolError("nonsense"), new RequestError(ERROR_CODE.overloaded, "too much"),
      new RequestError(ERROR_CODE.truncate, "no"), new SyntaxError("line 1:0 no viable alternative at input 'x'"), new InvalidRequestError("unconfigured table t"),
      new ConfigurationError("wrong"), new RequestError(ERROR_CODE.unauthorized, "no"), new UnavailableError(CONSISTENCY.quorum, 2, 1),
      new WriteTimeoutError(CONSISTENCY.all, 1, 3, "SIMPLE"), new WriteTimeoutError(CONSISTENCY.quorum, 1, 2, "CAS", 7), new CasWriteUnknownError(CONSISTENCY.serial, 1, 2), new ReadTimeoutError(CONSISTENCY.one, 0, 1, false),
      new ReadFailureError(CONSISTENCY.quorum, 1, 2, failures, true), new WriteFailureError(CONSISTENCY.two, 0, 2, failures, "BATCH"),
      new AlreadyExistsError("ks", "t", "Cannot add already existing table \"t\" to keyspace \"ks\""), new UnpreparedError(ID, ID.toString("hex")),
    ]
    compare("error", errors.flatMap((error) => forVersions("0x" + error.code.toString(16), (version) => answered(version, (reply) => reply.error(error)))))
  })
})

test("segments", () => {
  const envelope = queryFrame("SELECT * FROM system.local", {}, { version: 5 })
  const long = queryFrame("SELECT " + "a, ".repeat(400), {}, { version: 5 })
  const segment = (title: string, bytes: Buffer, compressed: boolean): Case => ({ title, bytes, lines: dissectSegment(bytes, compressed) })
  compare("segment", [
    segment("one envelope", encodeSegments(envelope, 0, envelope.length, false), false),
    segment("the same where LZ4 was negotiated: too short to gain", encodeSegments(envelope, 0, envelope.length, true), true),
    segment("part of an envelope", segmentBytes(envelope.subarray(0, 20), { selfContained: false }), false),
    segment("compressed", encodeSegments(long, 0, long.length, true), true),
  ])
})
