// TRACING ON: what a request did when, kept in memory while it runs and written to system_traces afterwards like any
// client's data, for a day.
//
// 1. `begin` gives the request a session id, which the answer carries.
// 2. Events collect with microseconds since the start.
// 3. `finish` writes the events, and once those are kept the session with its duration: clients wait for the duration
//    before they ask for events. Answers of replicas that come later are not traced.
//
// What it does not do: events of other nodes; probabilistic tracing.
import { CONSISTENCY, type Consistency, UnavailableError, consistencyName } from "../cql/errors.ts"
import type { Prepared, WritePlan } from "../cql/plan.ts"
import type { BoundValues, QueryOptions, Reply } from "../cql/request.ts"
import { MutationWriter } from "../data/mutation.ts"
import { parseInet } from "../data/types/inet.ts"
import type { Clock } from "../runtime/clock.ts"
import type { NodeId } from "../runtime/network.ts"
import type { Random } from "../runtime/random.ts"
import { Buffer } from "../runtime/pure.ts"
import type { Snapshot } from "./cluster/cluster-metadata.ts"
import type { Coordinator } from "./coordinator.ts"
import { TimeUuids } from "./time-uuids.ts"
import type { Trace } from "./trace.ts"
import { WriteTimestamps } from "./writes/write-timestamps.ts"

const TTL_SECONDS = 86_400
const MAX_EVENTS = 1000
const THREAD = "main"

const INSERT_SESSION =
  "INSERT INTO system_traces.sessions (session_id, client, command, coordinator, coordinator_port, duration, parameters, request, started_at) " +
  `VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL ${TTL_SECONDS}`
const INSERT_EVENT =
  "INSERT INTO system_traces.events (session_id, event_id, activity, source, source_elapsed, source_port, thread) " +
  `VALUES (?, ?, ?, ?, ?, ?, ?) USING TTL ${TTL_SECONDS}`

export interface TracingDeps {
  readonly self: NodeId
  readonly clock: Clock
  readonly random: Random
  readonly current: () => Snapshot
  readonly compile: (text: string) => Prepared
  readonly coordinator: Coordinator
}

export class Tracing {
  readonly #deps: TracingDeps
  readonly #uuids: TimeUuids
  readonly #timestamps: WriteTimestamps

  constructor(deps: TracingDeps) {
    this.#deps = deps
    this.#uuids = new TimeUuids(deps.clock, deps.random.child("tracing"))
    this.#timestamps = new WriteTimestamps(deps.clock)
  }

  /** Sets the reply's tracing id. `request` names what is done: "Execute CQL3 query" and the like. */
  begin(reply: Reply, command: "QUERY", request: string, query: string, options: QueryOptions): TraceSession {
    const id = this.#uuids.next()
    reply.tracingId = id
    const parameters = new Map<string, string>([["consistency_level", consistencyName(options.consistency)]])
    if (options.pageSize > 0) parameters.set("page_size", String(options.pageSize))
    parameters.set("query", query)
    parameters.set("serial_consistency_level", consistencyName(options.serialConsistency))
    const startedAtMicros = this.#deps.clock.nowMicros()
    return new TraceSession(this.#deps.clock, this.#uuids, (session) => this.#write(session), { id, client: reply.client.remote, command, request, parameters, startedAtMicros })
  }

  #write(session: TraceSession): void {
    const node = this.#deps.current().nodes.get(this.#deps.self)
    const source = inet(node?.listenAddress ?? "127.0.0.1")
    const port = int(node?.listenPort ?? 7000)
    const { id, client, command, request, parameters, startedAtMicros } = session.description
    const events = session.events.map(({ eventId, activity, elapsedMicros }) => [
      id, eventId, text(activity), source, int(elapsedMicros), port, text(THREAD),
    ])
    const clientAddress = inet(client.slice(0, Math.max(0, client.lastIndexOf(":"))).replace(/^\[|\]$/g, ""))
    const row = [
      id, clientAddress, text(command), source, port, int(session.durationMicros), map(parameters), text(request), bigint(Math.floor(startedAtMicros / 1000)),
    ]
    this.#insert(INSERT_EVENT, events, () => this.#insert(INSERT_SESSION, [row], () => undefined))
  }

  /** All or nothing is not needed; but who sees the session must find its events, so that all replicas are asked first. */
  #insert(statement: string, rows: readonly (readonly Buffer[])[], then: () => void, consistency: Consistency = CONSISTENCY.all): void {
    const plan = this.#deps.compile(statement).plan as WritePlan
    const writer = new MutationWriter(1024)
    const nowSeconds = Math.floor(this.#deps.clock.nowMicros() / 1_000_000)
    let left = rows.length
    if (left === 0) then()
    for (const row of rows) {
      this.#timestamps.next()
      writer.reset()
      plan.encode(boundValues(row), { writer, timestampHigh: this.#timestamps.high, timestampLow: this.#timestamps.low, nowSeconds })
      this.#deps.coordinator.write("system_traces", writer.out.view(), 1, consistency, "SIMPLE", {
        done: (error) => {
          if (error instanceof UnavailableError && consistency === CONSISTENCY.all) this.#insert(statement, [row], () => --left === 0 && then(), CONSISTENCY.any)
          else if (--left === 0) then()
        },
      })
    }
  }
}

interface SessionDescription {
  readonly id: Buffer
  readonly client: string
  readonly command: string
  readonly request: string
  readonly parameters: ReadonlyMap<string, string>
  readonly startedAtMicros: number
}

export class TraceSession implements Trace {
  readonly description: SessionDescription
  /** The time in an event's id is when it happened: clients show it and sort by it. */
  readonly events: { readonly eventId: Buffer; readonly activity: string; readonly elapsedMicros: number }[] = []
  durationMicros = 0
  readonly #clock: Clock
  readonly #uuids: TimeUuids
  readonly #startedMs: number
  readonly #write: (session: TraceSession) => void
  #isFinished = false

  constructor(clock: Clock, uuids: TimeUuids, write: (session: TraceSession) => void, description: SessionDescription) {
    this.#clock = clock
    this.#uuids = uuids
    this.#startedMs = clock.monotonicMs()
    this.#write = write
    this.description = description
  }

  event(activity: string): void {
    if (!this.#isFinished && this.events.length < MAX_EVENTS) this.events.push({ eventId: this.#uuids.next(), activity, elapsedMicros: this.#elapsedMicros() })
  }

  finish(): void {
    if (this.#isFinished) return
    this.#isFinished = true
    this.durationMicros = this.#elapsedMicros()
    this.#write(this)
  }

  #elapsedMicros(): number {
    return Math.max(1, Math.round((this.#clock.monotonicMs() - this.#startedMs) * 1000))
  }
}

function boundValues(values: readonly Buffer[]): BoundValues {
  const offsets = new Int32Array(values.length)
  const lengths = new Int32Array(values.length)
  let at = 0
  values.forEach((value, index) => {
    offsets[index] = at
    lengths[index] = value.length
    at += value.length
  })
  return { buffer: Buffer.concat(values), count: values.length, offsets, lengths, names: null }
}

function text(value: string): Buffer {
  return Buffer.from(value, "utf8")
}
function int(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
function bigint(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes
}
function inet(address: string): Buffer {
  return parseInet(address) ?? Buffer.from([0, 0, 0, 0])
}
function map(entries: ReadonlyMap<string, string>): Buffer {
  const parts: Buffer[] = [int(entries.size)]
  for (const [key, value] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const part of [text(key), text(value)]) parts.push(int(part.length), part)
  }
  return Buffer.concat(parts)
}
