// Runs statements: the RequestHandler of a node. Statements are compiled once (prepared-cache.ts), bound per request, and
// their plans run on the coordinator.
//
// 1. PREPARE compiles and remembers; EXECUTE finds the plan by id. A plan compiled against an older schema is compiled
//    again from its text. QUERY texts are remembered as well, in a cache of their own.
// 2. A write is encoded into one shared buffer and handed to the coordinator, which copies what it must keep; a pooled
//    WriteRun answers. On one node both happen before this returns.
// 3. A read is a loop of commands (ReadRun).
// 4. Schema statements, TRUNCATE, conditional updates, writes that read first and traced requests may take promises.
import { InvalidRequestError, RequestError, UnpreparedError, type WriteType } from "../cql/errors.ts"
import type { BatchPlan, CasRequest, DescribePlan, DirectSelect, EncodeContext, Prepared, ReadPlan, WritePlan } from "../cql/plan.ts"
import type { BatchEntry, BatchType, BoundValues, QueryOptions, Reply, RequestHandler } from "../cql/request.ts"
import { type ConditionalEntry, bindConditionalBatch } from "../cql/writes/cas-plan.ts"
import { MutationWriter } from "../data/mutation.ts"
import type { Schema, TableId } from "../data/schema.ts"
import type { Clock } from "../runtime/clock.ts"
import type { NodeId } from "../runtime/network.ts"
import { Buffer } from "../runtime/pure.ts"
import type { Random } from "../runtime/random.ts"
import { BatchWriter } from "./writes/batch.ts"
import { batchWarnings } from "./writes/batch-guardrails.ts"
import type { ClusterMetadata } from "./cluster/cluster-metadata.ts"
import { validateForCas, validateForCasCommit, validateForCounters, validateForRead, validateForWrite } from "./consistency.ts"
import type { NodeCoordinator } from "./node-coordinator.ts"
import { type CachedStatement, PreparedCache } from "./prepared-cache.ts"
import { checkBatchTables } from "../cql/writes/batch.ts"
import { isCounterTable } from "../data/counters.ts"
import { ownOptions, ownValues, runPriorReads, validateForPriorReads } from "./prior-reads.ts"
import { rangeOwnership } from "./cluster/range-ownership.ts"
import { OPERATION, RequestLatencies } from "./request-latencies.ts"
import { executeSchema, executeTruncate } from "./schema-execution.ts"
import { ReadRun, WriteRun } from "./statement-runs.ts"
import { type TraceSession, Tracing } from "./tracing.ts"
import { SUSPECT_BYTES, checkViewKeys } from "./views/key-limits.ts"
import { WriteTimestamps } from "./writes/write-timestamps.ts"

export interface ExecutorDeps {
  readonly self: NodeId
  readonly coordinator: NodeCoordinator
  readonly metadata: ClusterMetadata
  readonly clock: Clock
  readonly random: Random
  /** cql/compile.ts. Throws RequestErrors. */
  readonly compile: (text: string, schema: Schema, keyspace: string | null) => Prepared
  readonly partitioner?: string
  readonly snitch?: string
}

/** Counted since the start. */
export interface StatementFigures {
  readonly preparedCount: number
  readonly preparedEvicted: number
  /** Executions of prepared statements, and of texts; those in batches are not counted, as in Cassandra. */
  readonly preparedExecuted: number
  readonly regularExecuted: number
}

const MAX_PREPARED = 20_000
const MAX_QUERIES = 1_000
/** Longer texts are mostly data. */
const MAX_CACHED_TEXT = 2_000
const PARTITIONER = "org.apache.cassandra.dht.Murmur3Partitioner"
const SNITCH = "org.apache.cassandra.locator.SimpleSnitch"
/** A buffer that once held a huge mutation is given back. */
const MAX_KEPT_BYTES = 1024 * 1024

export class StatementExecutor implements RequestHandler {
  readonly #deps: ExecutorDeps
  readonly #prepared = new PreparedCache(MAX_PREPARED)
  readonly #queries = new PreparedCache(MAX_QUERIES)
  readonly #timestamps: WriteTimestamps
  readonly #tracing: Tracing
  readonly #batches: BatchWriter
  #writer = new MutationWriter(64 * 1024)
  readonly #writeRuns: WriteRun[] = []
  readonly #readRuns: ReadRun[] = []
  /** What the clock said when the requests of this read had come in; 0: outside of one. Reading the clock for each costs 0.2 us. */
  #readMicros = 0
  readonly latencies: RequestLatencies
  #preparedExecuted = 0
  #regularExecuted = 0
  /** Reused for each write. */
  readonly #context: { -readonly [K in keyof EncodeContext]: EncodeContext[K] }

  constructor(deps: ExecutorDeps) {
    this.#deps = deps
    const { self, clock, random, coordinator, metadata } = deps
    this.#timestamps = new WriteTimestamps(clock)
    this.latencies = new RequestLatencies(clock)
    this.#context = { writer: this.#writer, timestampHigh: 0, timestampLow: 0, nowSeconds: 0 }
    this.#batches = new BatchWriter(coordinator)
    const compile = (text: string): Prepared => this.#compiled(text, null).prepared
    this.#tracing = new Tracing({ self, clock, random, coordinator, compile, current: () => metadata.current() })
  }

  readBegins(): void {
    this.#readMicros = this.#deps.clock.nowMicros()
    this.latencies.readBegins()
  }
  readEnds(): void {
    this.#readMicros = 0
    this.latencies.readEnds()
  }

  /** For system.prepared_statements. */
  preparedStatements(): Iterable<Prepared> {
    return this.#prepared.values()
  }

  get figures(): StatementFigures {
    const { size, evicted } = this.#prepared
    return { preparedCount: size, preparedEvicted: evicted, preparedExecuted: this.#preparedExecuted, regularExecuted: this.#regularExecuted }
  }

  /** See BatchWriter.sizes. */
  get batchSizes(): BatchWriter["sizes"] {
    return this.#batches.sizes
  }

  /** For averages: `seconds` have passed since the last call. `isKnown`: whether the table is there still. */
  tick(seconds: number, isKnown: (id: TableId) => boolean): void {
    this.latencies.tick(seconds, isKnown)
    this.#batches.tick(seconds)
  }

  query(text: string, options: QueryOptions, reply: Reply): void {
    this.#regularExecuted++
    const keyspace = options.keyspace ?? reply.client.keyspace
    if (!reply.traced) {
      this.#run(this.#compiled(text, keyspace), options, reply, null, null)
      return
    }
    const session = this.#tracing.begin(reply, "QUERY", "Execute CQL3 query", text, options)
    this.#traced(session, () => {
      session.event(`Parsing ${text}`)
      const statement = this.#compiled(text, keyspace)
      session.event("Preparing statement")
      this.#run(statement, options, reply, null, session)
    })
  }

  prepare(text: string, keyspace: string | null, reply: Reply): void {
    const prepared = this.#compile(text, keyspace ?? reply.client.keyspace)
    this.#prepared.set(prepared.id.toString("latin1"), prepared)
    if (prepared.warnings.length > 0) reply.warnings = [...prepared.warnings]
    reply.prepared(prepared)
  }

  execute(id: string, resultMetadataId: string | null, options: QueryOptions, reply: Reply): void {
    const statement = this.#found(id)
    this.#preparedExecuted++
    const markers = statement.prepared.bindVariables.length
    if (options.values.names === null && options.values.count !== markers) {
      throw new InvalidRequestError(`there were ${markers} markers(?) in CQL but ${options.values.count} bound variables`)
    }
    if (!reply.traced) {
      this.#run(statement, options, reply, resultMetadataId, null)
      return
    }
    const session = this.#tracing.begin(reply, "QUERY", "Execute CQL3 prepared query", statement.prepared.text, options)
    this.#traced(session, () => this.#run(statement, options, reply, resultMetadataId, session))
  }

  batch(type: BatchType, entries: readonly BatchEntry[], options: QueryOptions, reply: Reply): void {
    validateForWrite(options.consistency)
    const keyspace = options.keyspace ?? reply.client.keyspace
    if (!reply.traced) {
      this.#batch(type, entries, options, reply, keyspace, null)
      return
    }
    const session = this.#tracing.begin(reply, "QUERY", "Execute batch of CQL3 queries", "", options)
    this.#traced(session, () => this.#batch(type, entries, options, reply, keyspace, session))
  }

  #batch(type: BatchType, entries: readonly BatchEntry[], options: QueryOptions, reply: Reply, keyspace: string | null, session: TraceSession | null): void {
    const statements = entries.map((entry) => this.#batchStatement(entry, keyspace))
    if (statements.some(({ plan }) => plan.kind === "cas")) {
      this.#later(this.#conditional(bindConditionalBatch(statements, this.#nowSeconds(options)), options, reply), reply, session)
      return
    }
    const writes = statements as WriteEntry[]
    checkBatchTables(type, writes.map(({ plan }) => plan))
    if (writes.some(({ plan }) => plan.readsFirst)) {
      this.#later(this.#batchAfterReads(type, writes.map(({ plan, values }) => ({ plan, values: ownValues(values) })), ownOptions(options), reply, session), reply, null)
      return
    }
    const context = this.#encodeContext(options)
    let count = 0
    for (const { plan, values } of writes) count += plan.encode(values, context)
    this.#writeBatch(type, writes.map(({ plan }) => plan), count, options, reply, session)
  }

  #batchStatement({ query, preparedId, values }: BatchEntry, keyspace: string | null): ConditionalEntry {
    const { prepared } = query === null ? this.#found(preparedId ?? "") : this.#compiled(query, keyspace)
    const { plan } = prepared
    if (plan.kind !== "write" && plan.kind !== "cas") throw new InvalidRequestError("Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
    const markers = prepared.bindVariables.length
    if (query !== null && markers !== values.count) throw new InvalidRequestError(`There were ${markers} markers(?) in CQL but ${values.count} bound variables`)
    return { plan, values }
  }

  /** REQUIRES: the options and values are copies. */
  async #batchAfterReads(type: BatchType, writes: readonly WriteEntry[], options: QueryOptions, reply: Reply, session: TraceSession | null): Promise<void> {
    const prior = writes.map(({ plan, values }) => plan.prior(values, this.#nowSeconds(options)))
    validateForPriorReads(options.consistency)
    for (const rows of prior) await runPriorReads(this.#deps.coordinator, rows, options.consistency)
    const context = this.#encodeContext(options)
    let count = 0
    writes.forEach(({ plan, values }, index) => {
      count += plan.encode(values, context, prior[index])
    })
    this.#writeBatch(type, writes.map(({ plan }) => plan), count, options, reply, session)
  }

  /** A statement that is refused at once has a session too. */
  #traced(session: TraceSession, run: () => void): void {
    try {
      run()
    } catch (error) {
      session.finish()
      throw error
    }
  }

  #run(statement: CachedStatement, options: QueryOptions, reply: Reply, resultMetadataId: string | null, session: TraceSession | null): void {
    const { prepared } = statement
    const { plan } = prepared
    if (prepared.warnings.length > 0) reply.warnings = [...prepared.warnings]
    switch (plan.kind) {
      case "write":
        this.#write(plan, options, reply, session)
        return
      case "read":
        this.#read(plan, options, reply, resultMetadataId !== null && resultMetadataId !== statement.resultMetadataId, session)
        return
      case "cas":
        this.#later(this.#conditional(plan.bind(options.values, this.#nowSeconds(options)), options, reply), reply, session)
        return
      case "batch": {
        validateForWrite(options.consistency)
        if (plan.readsFirst) {
          this.#later(this.#planAfterReads(plan, ownOptions(options), reply, session), reply, null)
          return
        }
        const count = plan.encode(options.values, this.#encodeContext(options))
        this.#writeBatch(plan.type, plan.statements, count, options, reply, session)
        return
      }
      case "describe":
        this.#describe(plan, options, reply)
        break
      case "use":
        this.#use(plan.keyspace, reply)
        break
      case "schema":
        this.#later(executeSchema(this.#deps, plan, reply), reply, session)
        return
      case "truncate":
        this.#later(executeTruncate(this.#deps, plan, reply), reply, session)
        return
    }
    session?.finish()
  }

  /** A conditional update; only its own errors reject. */
  async #conditional(request: CasRequest, { serialConsistency, consistency, ...options }: QueryOptions, reply: Reply): Promise<void> {
    validateForCas(serialConsistency)
    validateForCasCommit(consistency)
    const applied = await this.#deps.coordinator.conditionalUpdate(request, serialConsistency, consistency, this.#nowSeconds({ serialConsistency, consistency, ...options }))
    const { metadata, count, rows } = request.result(applied)
    reply.rows(metadata, false, false, null, count, rows)
  }

  /** REQUIRES: the options are a copy. */
  async #planAfterReads(plan: WritePlan | BatchPlan, options: QueryOptions, reply: Reply, session: TraceSession | null): Promise<void> {
    validateForPriorReads(options.consistency)
    const prior = plan.prior(options.values, this.#nowSeconds(options))
    await runPriorReads(this.#deps.coordinator, prior, options.consistency)
    const count = plan.encode(options.values, this.#encodeContext(options), prior)
    if (plan.kind === "batch") this.#writeBatch(plan.type, plan.statements, count, options, reply, session)
    else this.#writeEncoded(plan, count, options, reply, session)
  }

  #write(plan: WritePlan, options: QueryOptions, reply: Reply, session: TraceSession | null): void {
    if (isCounterTable(plan.table)) validateForCounters(options.consistency, plan.table.name)
    else validateForWrite(options.consistency)
    if (plan.readsFirst) {
      this.#later(this.#planAfterReads(plan, ownOptions(options), reply, session), reply, null)
      return
    }
    this.#writeEncoded(plan, plan.encode(options.values, this.#encodeContext(options)), options, reply, session)
  }

  /** Writes what the shared writer holds. */
  #writeEncoded(plan: WritePlan, count: number, options: QueryOptions, reply: Reply, session: TraceSession | null): void {
    if (count === 0) {
      session?.finish()
      reply.void()
      return
    }
    const { coordinator, metadata } = this.#deps
    const { out } = this.#writer
    if (out.length >= SUSPECT_BYTES) checkViewKeys(out.view(), count, metadata.current().schema)
    if (isCounterTable(plan.table)) {
      coordinator.writeCounters(plan.table.keyspace, out.view(), count, options.consistency, WriteRun.take(this.#writeRuns, this.latencies, plan, reply, session))
      return
    }
    const writeType: WriteType = count === 1 ? "SIMPLE" : "UNLOGGED_BATCH"
    const run = WriteRun.take(this.#writeRuns, this.latencies, plan, reply, session)
    if (session !== null) coordinator.traceWith(session)
    coordinator.write(plan.table.keyspace, out.buffer, count, options.consistency, writeType, run)
    if (session !== null) coordinator.traceWith(null)
  }

  #writeBatch(type: BatchType, plans: readonly WritePlan[], count: number, options: QueryOptions, reply: Reply, session: TraceSession | null): void {
    const { coordinator, metadata } = this.#deps
    const counter = plans.find(({ table }) => isCounterTable(table))
    if (counter !== undefined) validateForCounters(options.consistency, counter.table.name)
    const mutations = this.#writer.out.view()
    const warnings = batchWarnings(type, plans, mutations, count, metadata.current().schema)
    if (warnings !== null) reply.warnings = [...(reply.warnings ?? []), ...warnings]
    if (mutations.length >= SUSPECT_BYTES) checkViewKeys(mutations, count, metadata.current().schema)
    const run = WriteRun.take(this.#writeRuns, this.latencies, plans, reply, session)
    if (session !== null) coordinator.traceWith(session)
    this.#batches.write(type, plans, mutations, count, options.consistency, metadata.current().schema, run)
    if (session !== null) coordinator.traceWith(null)
  }

  #read(plan: ReadPlan, options: QueryOptions, reply: Reply, metadataChanged: boolean, session: TraceSession | null): void {
    validateForRead(options.consistency)
    if (plan.direct !== null && session === null && this.#readDirect(plan.direct, options, reply, metadataChanged)) return
    const select = plan.bind(options, this.#nowSeconds(options))
    const run = ReadRun.take(this.#readRuns, this.#deps.coordinator, this.latencies)
    run.table = plan.table.id
    run.reply = reply
    run.select = select
    run.session = session
    run.consistency = options.consistency
    run.skipMetadata = options.skipMetadata
    run.metadataChanged = metadataChanged
    run.run()
  }

  /** The short way: rows go from the store into the answer. False: nothing was answered. */
  #readDirect(select: DirectSelect, options: QueryOptions, reply: Reply, metadataChanged: boolean): boolean {
    const { coordinator } = this.#deps
    const begunMs = this.latencies.begin()
    if (!coordinator.mayReadDirect(select.table.keyspace, options.consistency) || !select.bind(options, this.#nowSeconds(options))) return false
    select.start(reply.beginRows(select.metadata, options.skipMetadata, metadataChanged))
    if (!coordinator.readDirect(select, select)) {
      reply.dropRows()
      return false
    }
    reply.endRows(select.pagingState(), select.count)
    this.latencies.done(select.table.id, OPERATION.read, begunMs)
    return true
  }

  #describe(plan: DescribePlan, options: QueryOptions, reply: Reply): void {
    const snapshot = this.#deps.metadata.current()
    const context = {
      clusterName: snapshot.clusterName,
      partitioner: this.#deps.partitioner ?? PARTITIONER,
      snitch: this.#deps.snitch ?? SNITCH,
      keyspace: options.keyspace ?? reply.client.keyspace,
      rangeOwnership: (keyspace: string) => rangeOwnership(snapshot, keyspace),
    }
    const { metadata, count, rows, pagingState } = plan.run(snapshot.schema, context, options)
    reply.rows(metadata, options.skipMetadata, false, pagingState, count, rows)
  }

  #use(keyspace: string, reply: Reply): void {
    if (!this.#deps.metadata.current().schema.keyspaces.has(keyspace)) throw new InvalidRequestError(`Keyspace '${keyspace}' does not exist`)
    reply.client.keyspace = keyspace
    reply.setKeyspace(keyspace)
  }

  #later(work: Promise<void>, reply: Reply, session: TraceSession | null): void {
    work.then(
      () => session?.finish(),
      (error: unknown) => {
        session?.finish()
        if (!(error instanceof RequestError)) throw error
        reply.error(error)
      },
    )
  }

  /** The context for one request, with an empty writer. */
  #encodeContext(options: QueryOptions): EncodeContext {
    const context = this.#context
    if (this.#writer.out.buffer.length > MAX_KEPT_BYTES) {
      this.#writer = new MutationWriter(64 * 1024)
      context.writer = this.#writer
    }
    this.#writer.reset()
    const timestamps = this.#timestamps
    if (options.hasTimestamp) {
      context.timestampHigh = options.timestampHigh
      context.timestampLow = options.timestampLow
      context.nowSeconds = this.#nowSeconds(options)
    } else {
      const nowMicros = this.#nowMicros()
      timestamps.next(nowMicros)
      context.timestampHigh = timestamps.high
      context.timestampLow = timestamps.low
      context.nowSeconds = options.nowSeconds >= 0 ? options.nowSeconds : Math.floor(nowMicros / 1_000_000)
    }
    return context
  }

  #nowSeconds(options: QueryOptions): number {
    return options.nowSeconds >= 0 ? options.nowSeconds : Math.floor(this.#nowMicros() / 1_000_000)
  }

  #nowMicros(): number {
    return this.#readMicros === 0 ? this.#deps.clock.nowMicros() : this.#readMicros
  }

  #found(id: string): CachedStatement {
    const statement = this.#prepared.get(id)
    if (statement === null) throw unprepared(id)
    const { prepared } = statement
    const { schema } = this.#deps.metadata.current()
    if (prepared.schemaVersion === schema.version) return statement
    try {
      return this.#prepared.set(id, this.#compile(prepared.text, prepared.keyspace))
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      // Its table is gone: the client prepares again and learns why.
      this.#prepared.delete(id)
      throw unprepared(id)
    }
  }

  #compiled(text: string, keyspace: string | null): CachedStatement {
    const name = keyspace === null ? text : `${keyspace}\0${text}`
    const statement = this.#queries.get(name)
    if (statement !== null && statement.prepared.schemaVersion === this.#deps.metadata.current().schema.version) return statement
    const prepared = this.#compile(text, keyspace)
    if (text.length <= MAX_CACHED_TEXT) return this.#queries.set(name, prepared)
    return { prepared, resultMetadataId: null, used: false }
  }

  #compile(text: string, keyspace: string | null): Prepared {
    return this.#deps.compile(text, this.#deps.metadata.current().schema, keyspace)
  }
}

/** An entry of a batch without conditions. */
interface WriteEntry {
  readonly plan: WritePlan
  readonly values: BoundValues
}

function unprepared(id: string): UnpreparedError {
  const bytes = Buffer.from(id, "latin1")
  return new UnpreparedError(bytes, bytes.toString("hex"))
}
