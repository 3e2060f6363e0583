// Logged batches: all of the mutations take effect, or none, also when their coordinator dies in the middle.
//
// 1. When a partition has too few replicas up for the level, nothing happens. Else the batch is kept as a row of system.batches on two other nodes that are up, on racks of their own where there are such;
//    on the one there is; or here, when there is no other. All must have it before anything else happens.
// 2. The mutations are written to their replicas at the consistency level.
// 3. When every one is acknowledged (those who were down have hints), the row is removed.
// 4. Each node looks at its rows now and then: a batch older than the write timeouts lost its coordinator, or was not
//    acknowledged. It is written again, with its own timestamps, and removed when quorums of replicas have it.
//
// What is void by then is left out: updates of tables that were dropped, or truncated since. A batch whose tombstones might
// be purged already (gc_grace_seconds) is dropped.
import { CONSISTENCY, type Consistency, type RequestError, type WriteFailureError, WriteTimeoutError } from "../../cql/errors.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { NodeId } from "../../runtime/network.ts"
import type { Timer } from "../../runtime/clock.ts"
import { Buffer, isPromise } from "../../runtime/pure.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { Completion, Coordinator } from "../coordinator.ts"
import type { CoordinatorDeps } from "../coordinator-deps.ts"
import { GroupCompletion } from "../group-completion.ts"
import { VERB } from "../messages.ts"
import { firstTable, keepUpdates, mutationSizeAt, tablesOf } from "../writes/mutation-tables.ts"
import { ballotOfUuid } from "../paxos/ballot.ts"
import { TimeUuids } from "../time-uuids.ts"
import type { WritePath } from "../writes/write-path.ts"
import { BatchSink, type LoggedBatch, batchMutation, batchesCommand, removalMutation } from "./batch-rows.ts"

const REPLAY_INTERVAL_MS = 10_000
const BATCHES_PER_REPLAY = 100
const COPIES = 2

/** The mutations of a batch in one keyspace, one behind the other. */
export interface BatchPart {
  readonly keyspace: string
  readonly bytes: Buffer
  readonly count: number
}

export class BatchLog {
  readonly #deps: CoordinatorDeps
  readonly #view: ClusterView
  readonly #writes: WritePath
  readonly #coordinator: Coordinator
  readonly #ids: TimeUuids
  /** Batches whose coordinator is this node and still at work. */
  readonly #open = new Set<string>()
  #timer: Timer | null = null
  #stopped = false

  constructor(deps: CoordinatorDeps, view: ClusterView, writes: WritePath, coordinator: Coordinator) {
    this.#deps = deps
    this.#view = view
    this.#writes = writes
    this.#coordinator = coordinator
    this.#ids = new TimeUuids(deps.clock, deps.random.child("batch log"))
    this.#schedule()
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) this.#deps.clock.cancel(this.#timer)
  }

  /** The bytes are copied before this returns. */
  write(parts: readonly BatchPart[], consistency: Consistency, completion: Completion): void {
    const own = parts.map(({ keyspace, bytes, count }) => ({ keyspace, bytes: Buffer.from(bytes), count }))
    const batch: LoggedBatch = { id: this.#ids.next(), epoch: this.#view.snapshot().epoch, mutations: own.flatMap(({ bytes }) => split(bytes)) }
    for (const { keyspace, bytes } of own) {
      for (const mutation of split(bytes)) {
        const error = this.#writes.unavailable(keyspace, mutation, consistency)
        if (error === null) continue
        completion.done(error)
        return
      }
    }
    const keepers = this.#keepers()
    const name = batch.id.toString("latin1")
    this.#open.add(name)
    const written: Completion = {
      done: (error) => {
        this.#open.delete(name)
        // What was not acknowledged is written again from the log.
        if (error === null) this.#remove(batch.id, keepers)
        completion.done(error)
      },
    }
    const stored: Completion = {
      done: (error) => {
        if (error !== null) {
          this.#open.delete(name)
          completion.done(logError(error, keepers.length))
          return
        }
        const group = new GroupCompletion(own.length, written)
        for (const { keyspace, bytes, count } of own) this.#coordinator.write(keyspace, bytes, count, consistency, "BATCH", group)
      },
    }
    this.#deliver(batchMutation(this.#table(), batch, this.#deps.clock.nowMicros()), keepers, stored)
  }

  #table(): TableSchema {
    const table = this.#view.snapshot().schema.table("system", "batches")
    if (table === null) throw new TypeError("every release has system.batches")
    return table
  }

  /** Nodes that keep a batch of this node: other racks first. */
  #keepers(): readonly NodeId[] {
    const view = this.#view
    const { nodes } = view.snapshot()
    const own = nodes.get(view.self)
    const others = [...nodes.values()].filter(({ node, state }) => node !== view.self && state !== "left" && state !== "joining" && view.isAlive(node) && view.isInOwnDataCenter(node))
    if (others.length === 0) return [view.self]
    const shift = this.#deps.random.below(others.length)
    const turned = [...others.slice(shift), ...others.slice(0, shift)]
    const elsewhere = turned.filter(({ rack }) => rack !== own?.rack)
    const first = elsewhere[0] ?? turned[0]
    const second = elsewhere.find(({ rack, node }) => node !== first?.node && rack !== first?.rack) ?? [...elsewhere, ...turned].find(({ node }) => node !== first?.node)
    return [first, second].flatMap((chosen) => (chosen === undefined ? [] : [chosen.node])).slice(0, COPIES)
  }

  /** The mutation goes to the nodes as it is, whoever owns its key. */
  #deliver(mutation: Buffer, nodes: readonly NodeId[], completion: Completion): void {
    const group = new GroupCompletion(nodes.length, completion)
    for (const node of nodes) this.#writes.deliver(VERB.readRepair, "system", mutation, node, group)
  }

  /** A row that could not be removed is written again once more, which changes nothing. */
  #remove(id: Buffer, nodes: readonly NodeId[]): void {
    this.#deliver(removalMutation(this.#table(), id, this.#deps.clock.nowMicros() + 1), nodes, { done: () => undefined })
  }

  #schedule(): void {
    this.#timer = this.#deps.clock.after(REPLAY_INTERVAL_MS, () => {
      this.#replay().then(
        () => {
          if (!this.#stopped) this.#schedule()
        },
        (error: unknown) => {
          // A disk that cannot be read now is tried again; a bug is not caught.
          if (error instanceof TypeError || (error instanceof Error && error.name === "AssertionError")) throw error
          if (!this.#stopped) this.#schedule()
        },
      )
    })
  }

  async #replay(): Promise<void> {
    const { schema } = this.#view.snapshot()
    if (schema.table("system", "batches")?.kind !== "table") return
    const table = this.#table()
    const sink = new BatchSink(table)
    const reading = this.#deps.store.read(batchesCommand(table, BATCHES_PER_REPLAY), sink)
    if (isPromise(reading)) await reading
    const { clock, timeouts } = this.#deps
    for (const batch of sink.batches) {
      if (this.#stopped) return
      const ageMs = (clock.nowMicros() - ballotOfUuid(batch.id).micros) / 1000
      if (ageMs < 2 * timeouts.writeMs || this.#open.has(batch.id.toString("latin1"))) continue
      if (await this.#write(batch, ageMs)) this.#remove(batch.id, [this.#view.self])
    }
  }

  /** True when every mutation that still counts is at quorums of its replicas. */
  async #write(batch: LoggedBatch, ageMs: number): Promise<boolean> {
    const writes: Promise<boolean>[] = []
    const snapshot = this.#view.snapshot()
    for (const mutation of batch.mutations) {
      const kept = keepUpdates(mutation, (id) => {
        const table = snapshot.schema.tableById(id)
        return table !== null && snapshot.truncationEpoch(id) <= batch.epoch && ageMs / 1000 < Math.max(table.options.gcGraceSeconds, 60)
      })
      const keyspace = kept === null ? undefined : snapshot.schema.tableById(firstTable(kept))?.keyspace
      if (kept === null || keyspace === undefined || tablesOf(kept).length === 0) continue
      writes.push(new Promise((resolve) => {
        this.#coordinator.write(keyspace, kept, 1, CONSISTENCY.quorum, "BATCH", { done: (error) => resolve(error === null) })
      }))
    }
    return (await Promise.all(writes)).every((succeeded) => succeeded)
  }
}

function split(bytes: Buffer): Buffer[] {
  const mutations: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = mutationSizeAt(bytes, at)
    mutations.push(bytes.subarray(at, at + size))
    at += size
  }
  return mutations
}

/** What the client is told when not all keepers have the batch. One that has it will write it all the same. */
function logError(error: RequestError, copies: number): RequestError {
  const level = copies === 1 ? CONSISTENCY.one : CONSISTENCY.two
  const received = (error as Partial<WriteFailureError>).received
  return new WriteTimeoutError(level, Math.min(received ?? 0, copies - 1), copies, "BATCH_LOG")
}
