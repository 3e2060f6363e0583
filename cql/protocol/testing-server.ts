// A server whose handler records what it is given, and clients for it: what the tests of this folder share.
import { assert, Buffer } from "../../runtime/pure.ts"
import type { ResultMetadata } from "../metadata.ts"
import type { BatchEntry, BatchType, QueryOptions, Reply, RequestHandler } from "../request.ts"
import { OPCODE } from "./opcode.ts"
import { createProtocolServer, type ProtocolServerOptions } from "./server.ts"
import { type Answer, startupFrame, TestConnection } from "./testing.ts"

export const ID = Buffer.from("0123456789abcdef")
export const METADATA: ResultMetadata = {
  columns: [{ keyspace: "ks", table: "t", name: "a", type: { kind: "native", name: "int" } }],
  id: Buffer.from("fedcba9876543210"),
}
export const ONE_ROW = Buffer.from("0000000400000007", "hex")

export interface Call {
  kind: "query" | "prepare" | "execute" | "batch"
  text: string
  options: Record<string, unknown>
  reply: Reply
}

/** Copies what is valid during the call only. */
function copyOptions(options: QueryOptions): Record<string, unknown> {
  const { values, pagingState, ...rest } = options as QueryOptions & Record<string, unknown>
  return { ...rest, pagingState: pagingState === null ? null : Buffer.from(pagingState), values: copyValues(values), names: values.names === null ? null : [...values.names] }
}
function copyValues(values: QueryOptions["values"]): (string | null)[] {
  return Array.from({ length: values.count }, (_, i) => {
    const size = values.lengths[i] as number
    const at = values.offsets[i] as number
    return size === -1 ? null : size === -2 ? "UNSET" : values.buffer.toString("latin1", at, at + size)
  })
}

export class Recorder implements RequestHandler {
  calls: Call[] = []
  answer: (call: Call) => void = (call) => call.reply.void()

  query(text: string, options: QueryOptions, reply: Reply): void {
    this.#add({ kind: "query", text, options: copyOptions(options), reply })
  }
  prepare(text: string, keyspace: string | null, reply: Reply): void {
    this.#add({ kind: "prepare", text, options: { keyspace }, reply })
  }
  execute(id: string, resultMetadataId: string | null, options: QueryOptions, reply: Reply): void {
    this.#add({ kind: "execute", text: id, options: { ...copyOptions(options), resultMetadataId }, reply })
  }
  batch(type: BatchType, entries: readonly BatchEntry[], options: QueryOptions, reply: Reply): void {
    const statements = entries.map((entry) => ({ query: entry.query, id: entry.preparedId, values: copyValues(entry.values) }))
    this.#add({ kind: "batch", text: type, options: { ...copyOptions(options), statements }, reply })
  }
  #add(call: Call): void {
    this.calls.push(call)
    this.answer(call)
  }
}

export function setup(options: Partial<ProtocolServerOptions> = {}) {
  const handler = new Recorder()
  const turn: (() => void)[] = []
  const trace: string[] = []
  const server = createProtocolServer({ handler, atTurnEnd: (fn) => turn.push(fn), beforeWrite: () => trace.push("beforeWrite"), ...options })
  const endTurn = () => turn.splice(0).forEach((fn) => fn())
  const connect = () => new TestConnection(server.accept)
  const start = (version = 4, map: Record<string, string> = { CQL_VERSION: "3.0.0" }) => {
    const client = connect()
    client.send(startupFrame(map, { version }))
    assert(only(client.takeAnswers()).opcode === OPCODE.ready, "STARTUP is answered with READY")
    return client
  }
  return { handler, server, endTurn, connect, start, trace, turn }
}

export function only(answers: Answer[]): Answer {
  assert(answers.length === 1, `one answer, not ${answers.length}`)
  return answers[0] as Answer
}
