// The acceptor of a node: takes one message of a partition after the other, keeps the new state durable before it answers.
//
// The answer waits for the log to be synced, not only written: a promise that a loss of power took back would let two
// values be decided. The next message of the partition need not wait for that, since what it writes is synced later.
import type { LogPosition } from "../../data/local-store.ts"
import { ByteReader } from "../../data/bytes.ts"
import type { TableSchema } from "../../data/schema.ts"
import { tokenOf } from "../../data/token.ts"
import { AssertionError, isPromise } from "../../runtime/pure.ts"
import { MetadataUnavailableError } from "../cluster/cluster-metadata.ts"
import type { CoordinatorDeps } from "../coordinator-deps.ts"
import { FAILURE } from "../failure.ts"
import { type Message, VERB } from "../messages.ts"
import { PartitionQueue } from "../partition-queue.ts"
import { type AcceptorState, type PrepareAnswer, type Proposal, type ProposeAnswer, prepare, propose } from "./acceptor.ts"
import type { Ballot } from "./ballot.ts"
import { readContent, readHead, writeAccept, writePromise } from "./paxos-codec.ts"
import { acceptMutation, loadState, paxosTable, promiseMutation } from "./paxos-table.ts"

/** The request is refused with this code. */
export class PaxosRefusal extends Error {
  readonly code: number
  constructor(code: number) {
    super(`refused with code ${code}`)
    this.code = code
  }
}

interface Step<Answer> {
  readonly state: AcceptorState
  readonly answer: Answer
}

export class PaxosReplica {
  readonly #deps: CoordinatorDeps
  readonly #queue = new PartitionQueue()

  constructor(deps: CoordinatorDeps) {
    this.#deps = deps
    deps.router.handle(VERB.paxosPrepare, (message) => this.#receivePrepare(message))
    deps.router.handle(VERB.paxosPropose, (message) => this.#receivePropose(message))
  }

  prepare(table: TableSchema, key: Buffer, ballot: Ballot): Promise<PrepareAnswer> {
    return this.#step(table, key, (state) => prepare(state, ballot), (nowSeconds) => promiseMutation(this.#paxos(), table, key, ballot, nowSeconds))
  }

  propose(table: TableSchema, key: Buffer, proposal: Proposal): Promise<ProposeAnswer> {
    return this.#step(table, key, (state) => propose(state, proposal), (nowSeconds) => acceptMutation(this.#paxos(), table, key, proposal, nowSeconds))
  }

  #paxos(): TableSchema {
    return paxosTable(this.#deps.metadata.current().schema)
  }

  async #step<Answer>(
    table: TableSchema, key: Buffer, step: (state: AcceptorState) => Step<Answer>, mutationOf: (nowSeconds: number) => Buffer,
  ): Promise<Answer> {
    const { store, clock, metadata } = this.#deps
    const nowSeconds = Math.floor(clock.nowMicros() / 1_000_000)
    const { answer, position } = await this.#queue.run(table.id, key, async () => {
      const state = await loadState(store, this.#paxos(), table, key, nowSeconds, metadata.current().truncationEpoch(table.id))
      const stepped = step(state)
      const applied: LogPosition | null = stepped.state === state ? null : await store.apply(mutationOf(nowSeconds), "replica", null)
      return { answer: stepped.answer, position: applied }
    })
    if (position !== null) await new Promise<void>((resolve) => store.onDurable(position, resolve))
    return answer
  }

  #receivePrepare(message: Message): void {
    const reader = new ByteReader(message.bytes, message.at)
    const { requiredEpoch, table, ballot, key } = readHead(reader)
    this.#serve(message, requiredEpoch, table, key, async (schema) => {
      const answer = await this.prepare(schema, key, ballot)
      return (): void => writePromise(answer, this.#deps.router.begin(VERB.paxosPromise, 0, message.requestId))
    })
  }

  #receivePropose(message: Message): void {
    const reader = new ByteReader(message.bytes, message.at)
    const { requiredEpoch, table, ballot, key } = readHead(reader)
    const proposal = readContent(ballot, reader)
    this.#serve(message, requiredEpoch, table, key, async (schema) => {
      const answer = await this.propose(schema, key, proposal)
      return (): void => writeAccept(answer, this.#deps.router.begin(VERB.paxosAccept, 0, message.requestId))
    })
  }

  #serve({ from, requestId, epoch }: Message, requiredEpoch: number, table: number, key: Buffer, work: (table: TableSchema) => Promise<() => void>): void {
    const { router, metadata, clock, timeouts } = this.#deps
    const answer = async (): Promise<void> => {
      const waiting = metadata.waitFor(requiredEpoch, clock.monotonicMs() + timeouts.writeMs / 2)
      if (isPromise(waiting)) await waiting
      const write = await work(this.#table(table, key, epoch))
      write()
      router.send(from)
    }
    answer().catch((error: unknown) => {
      // A bug is not an answer.
      if (error instanceof AssertionError || error instanceof TypeError) throw error
      const code = error instanceof PaxosRefusal ? error.code : error instanceof MetadataUnavailableError ? FAILURE.incompatibleSchema : FAILURE.unknown
      router.begin(VERB.paxosFailed, 0, requestId).uint16(code)
      router.send(from)
    })
  }

  /** Throws PaxosRefusal when the sender is behind in a way that matters. */
  #table(id: number, key: Buffer, senderEpoch: number): TableSchema {
    const snapshot = this.#deps.metadata.current()
    const table = snapshot.schema.tableById(id)
    if (table === null) throw new PaxosRefusal(FAILURE.unknownTable)
    if (senderEpoch < snapshot.epoch) {
      const token = tokenOf(key)
      const { since } = snapshot.placement(table.keyspace, token.high, token.low)
      if (senderEpoch < Math.max(since, snapshot.truncationEpoch(id))) throw new PaxosRefusal(FAILURE.staleEpoch)
    }
    return table
  }
}
