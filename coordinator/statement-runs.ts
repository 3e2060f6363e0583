// What is left of a request while it waits for replicas: pooled, so that a request that is done at once leaves nothing.
import { type Consistency, InvalidRequestError, RequestError } from "../cql/errors.ts"
import type { Select, WritePlan } from "../cql/plan.ts"
import type { Reply } from "../cql/request.ts"
import type { ReadCommand } from "../data/read-command.ts"
import type { TableId } from "../data/schema.ts"
import { Buffer } from "../runtime/pure.ts"
import { isSerial } from "./consistency.ts"
import type { Completion } from "./coordinator.ts"
import type { NodeCoordinator } from "./node-coordinator.ts"
import { OPERATION, type RequestLatencies } from "./request-latencies.ts"
import type { TraceSession } from "./tracing.ts"

const MAX_POOLED = 4096
/** An aggregate over a whole table is a loop of thousands of reads. */
const LONGEST_TURN_MS = 4

/** Answers a write. */
export class WriteRun implements Completion {
  reply: Reply | null = null
  session: TraceSession | null = null
  /** What it writes: a statement, or those of a batch. */
  #plan: WritePlan | readonly WritePlan[] | null = null
  #begunMs = 0
  readonly #pool: WriteRun[]
  readonly #latencies: RequestLatencies

  constructor(pool: WriteRun[], latencies: RequestLatencies) {
    this.#pool = pool
    this.#latencies = latencies
  }

  static take(pool: WriteRun[], latencies: RequestLatencies, plan: WritePlan | readonly WritePlan[], reply: Reply, session: TraceSession | null): WriteRun {
    const run = pool.pop() ?? new WriteRun(pool, latencies)
    run.reply = reply
    run.session = session
    run.#plan = plan
    run.#begunMs = latencies.begin()
    return run
  }

  done(error: RequestError | null): void {
    const reply = this.reply as Reply
    const session = this.session
    this.#record(this.#plan as WritePlan | readonly WritePlan[])
    this.#plan = null
    this.reply = null
    this.session = null
    if (this.#pool.length < MAX_POOLED) this.#pool.push(this)
    session?.finish()
    if (error === null) reply.void()
    else reply.error(error)
  }

  #record(plan: WritePlan | readonly WritePlan[]): void {
    if ("table" in plan) this.#latencies.done(plan.table.id, OPERATION.write, this.#begunMs)
    else for (const id of new Set(plan.map(({ table }) => table.id))) this.#latencies.done(id, OPERATION.write, this.#begunMs)
  }
}

/** Runs the commands of a Select one after the other and answers with its page. */
export class ReadRun implements Completion {
  reply: Reply | null = null
  select: Select | null = null
  session: TraceSession | null = null
  consistency: Consistency = 1
  skipMetadata = false
  metadataChanged = false
  #isStarting = false
  #isDone = false
  #serialKey: Buffer | null = null
  readonly #goOn = (): void => this.run()
  readonly #pool: ReadRun[]
  readonly #coordinator: NodeCoordinator
  readonly #latencies: RequestLatencies
  table: TableId = -1
  #isScan = false
  #begunMs = 0

  constructor(pool: ReadRun[], coordinator: NodeCoordinator, latencies: RequestLatencies) {
    this.#pool = pool
    this.#coordinator = coordinator
    this.#latencies = latencies
  }

  static take(pool: ReadRun[], coordinator: NodeCoordinator, latencies: RequestLatencies): ReadRun {
    const run = pool.pop() ?? new ReadRun(pool, coordinator, latencies)
    run.#begunMs = latencies.begin()
    return run
  }

  /** REQUIRES: all fields are set. */
  run(): void {
    try {
      this.#run()
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      this.#fail(error)
    }
  }

  /** A loop, not a recursion: reads of data in memory are done before `read` returns. Many of them let others be served in between. */
  #run(): void {
    const select = this.select as Select
    const startedMs = this.#coordinator.monotonicMs()
    for (;;) {
      const command = select.next()
      if (command === null) {
        this.#answer(select)
        return
      }
      if (command.target.kind === "range") this.#isScan = true
      this.#checkSerial(command)
      this.#isStarting = true
      this.#isDone = false
      if (this.session !== null) this.#coordinator.traceWith(this.session)
      this.#coordinator.read(command, this.consistency, select, this)
      if (this.session !== null) this.#coordinator.traceWith(null)
      this.#isStarting = false
      // Not done yet: `done` goes on. Failed: everything is given back already.
      if (!this.#isDone || this.select === null) return
      if (this.#coordinator.monotonicMs() - startedMs > LONGEST_TURN_MS) {
        this.#coordinator.atTurnEnd(this.#goOn)
        return
      }
    }
  }

  /** A serial read is of one partition, in however many commands. */
  #checkSerial({ target }: ReadCommand): void {
    if (!isSerial(this.consistency) || target.kind !== "partition") return
    if (this.#serialKey !== null && !this.#serialKey.equals(target.key)) {
      throw new InvalidRequestError("SERIAL/LOCAL_SERIAL consistency may only be requested for one partition at a time")
    }
    this.#serialKey ??= Buffer.from(target.key)
  }

  done(error: RequestError | null): void {
    if (error !== null) {
      this.#isDone = true
      this.#fail(error)
    } else if (this.#isStarting) this.#isDone = true
    else this.run()
  }

  #answer(select: Select): void {
    const reply = this.reply as Reply
    const { skipMetadata, metadataChanged, session } = this
    this.#release()
    const { metadata, count, rows, pagingState, warnings } = select.result()
    if (warnings.length > 0) reply.warnings = [...(reply.warnings ?? []), ...warnings]
    session?.finish()
    reply.rows(metadata, skipMetadata, metadataChanged, pagingState, count, rows)
  }

  #fail(error: RequestError): void {
    const reply = this.reply as Reply
    this.session?.finish()
    this.#release()
    reply.error(error)
  }

  #release(): void {
    this.#latencies.done(this.table, this.#isScan ? OPERATION.scan : OPERATION.read, this.#begunMs)
    this.#isScan = false
    this.#serialKey = null
    this.reply = null
    this.select = null
    this.session = null
    if (this.#pool.length < MAX_POOLED) this.#pool.push(this)
  }
}
