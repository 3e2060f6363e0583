// The ceiling of the native protocol: the bare server on a real socket, answering every EXECUTE at once. A statement
// that starts with SELECT gets one row of about 150 bytes, anything else Void. What a request costs here is what the
// rest of the database comes on top of.
//
//   node bench/protocol-canned.ts [--port 9142] [--seconds 0]
//
// prints one line when it listens; point any load generator for protocol v4 at it. --seconds ends it by itself, which
// lets `node --cpu-prof` write its profile.
import { parseArgs } from "node:util"
import { createProtocolServer } from "../cql/protocol/server.ts"
import type { ColumnSpecification, PreparedDescription, ResultMetadata } from "../cql/metadata.ts"
import type { Reply, RequestHandler } from "../cql/request.ts"
import { Buffer, md5 } from "../runtime/pure.ts"
import { RealByteListener } from "../runtime/real/real-byte-listener.ts"
import { RealClock } from "../runtime/real/real-clock.ts"

const TEXT = { kind: "native", name: "text" } as const

function column(name: string): ColumnSpecification {
  return { keyspace: "ks", table: "t", name, type: TEXT }
}

const METADATA: ResultMetadata = { columns: ["pk", "c0", "c1", "c2"].map(column), id: md5("canned") }

function cannedRow(): Buffer {
  const values = ["u000000000", "x".repeat(34), "y".repeat(34), "z".repeat(34)]
  return Buffer.concat(
    values.flatMap((value) => {
      const size = Buffer.alloc(4)
      size.writeInt32BE(value.length)
      return [size, Buffer.from(value)]
    }),
  )
}

class CannedHandler implements RequestHandler {
  readonly #statements = new Map<string, PreparedDescription>()
  readonly #row = cannedRow()

  query(_text: string, _options: unknown, reply: Reply): void {
    reply.void()
  }
  prepare(text: string, _keyspace: string | null, reply: Reply): void {
    const id = md5(text)
    const bindVariables = (text.match(/\?/g) ?? []).map((_, i) => column("v" + i))
    const statement = { id, bindVariables, partitionKeyIndexes: [0], resultMetadata: text.startsWith("SELECT") ? METADATA : null }
    this.#statements.set(id.toString("latin1"), statement)
    reply.prepared(statement)
  }
  execute(id: string, _resultMetadataId: string | null, options: { readonly skipMetadata: boolean }, reply: Reply): void {
    const metadata = this.#statements.get(id)?.resultMetadata ?? null
    if (metadata === null) reply.void()
    else reply.rows(metadata, options.skipMetadata, false, null, 1, this.#row)
  }
  batch(_type: unknown, _entries: unknown, _options: unknown, reply: Reply): void {
    reply.void()
  }
}

const { values } = parseArgs({ options: { port: { type: "string", default: "9142" }, seconds: { type: "string", default: "0" } } })
const clock = new RealClock()
const server = createProtocolServer({ handler: new CannedHandler(), atTurnEnd: (fn) => clock.atTurnEnd(fn), beforeWrite: () => {} })
const listener = new RealByteListener()
const { port } = await listener.listen("127.0.0.1", Number(values.port), server.accept)
console.log(JSON.stringify({ port, pid: process.pid }))
process.once("SIGTERM", () => void listener.stop().then(() => process.exit()))
if (Number(values.seconds) > 0) setTimeout(() => void listener.stop().then(() => process.exit()), Number(values.seconds) * 1000)
