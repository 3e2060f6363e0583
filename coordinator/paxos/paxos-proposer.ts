// Conditional updates and serial reads: Paxos over the replicas of one partition.
//
// 1. Prepare with a ballot later than any seen. What older proposers left unfinished is finished first.
// 2. Read at a quorum, and see whether the conditions hold.
// 3. Propose the update; of a condition that does not hold, and of a read, an empty one: it shows that nothing that might
//    have been read was still under way.
// 4. Once a quorum has accepted, commit: an ordinary write (with hints, read repair and views) of the update together with
//    the note that it is committed.
//
// Updates of one partition through one node queue up. Proposers of different nodes that get in each other's way wait for a random while and start again, until the contention timeout.
// LOCAL_SERIAL asks the replicas of this data centre only.
import {
  CONSISTENCY, CasWriteUnknownError, type Consistency, ReadTimeoutError, RequestError, UnavailableError, WriteTimeoutError, casTimeout,
} from "../../cql/errors.ts"
import type { CasRequest } from "../../cql/plan.ts"
import { ByteReader } from "../../data/bytes.ts"
import type { RowSink } from "../../data/local-store.ts"
import { MutationWriter } from "../../data/mutation.ts"
import type { ReadCommand } from "../../data/read-command.ts"
import type { TableSchema } from "../../data/schema.ts"
import { highOf, lowOf } from "../../data/timestamp.ts"
import { tokenOf } from "../../data/token.ts"
import { Buffer, isPromise } from "../../runtime/pure.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { Completion, Coordinator } from "../coordinator.ts"
import type { CoordinatorDeps } from "../coordinator-deps.ts"
import { FAILURE } from "../failure.ts"
import { type Message, VERB } from "../messages.ts"
import { tableEpoch } from "../writes/mutation-tables.ts"
import { PartitionQueue } from "../partition-queue.ts"
import { LOCAL_PLACEMENT } from "../cluster/placement.ts"
import { ResponseWriter, replayResponse } from "../reads/read-response.ts"
import type { RequestTable } from "../request-table.ts"
import { checkViewKeys } from "../views/key-limits.ts"
import type { WritePath } from "../writes/write-path.ts"
import type { Proposal } from "./acceptor.ts"
import type { Ballot } from "./ballot.ts"
import { readAccept, readPromise, writeContent, writeHead } from "./paxos-codec.ts"
import { PaxosExchange, type PaxosQuestion } from "./paxos-exchange.ts"
import type { PaxosReplica } from "./paxos-replica.ts"
import { commitMutation } from "./paxos-table.ts"
import { type Effect, ProposerRound } from "./proposer-round.ts"

export const CAS_CONTENTION_MS = 1000
const RESEND_MS = 250
const MAX_BACKOFF_MS = 100

interface Participants {
  readonly contacts: readonly number[]
  readonly required: number
}

/** One conditional update or serial read on its way. */
interface Attempt {
  readonly table: TableSchema
  readonly key: Buffer
  readonly serial: Consistency
  /** What to propose once the round is ready; called once a round. */
  decide(ballot: Ballot): Promise<Buffer>
  newest: Ballot | null
  contentions: number
  readonly startedMs: number
}

export class PaxosProposer {
  readonly #deps: CoordinatorDeps
  readonly #view: ClusterView
  readonly #requests: RequestTable
  readonly #writes: WritePath
  readonly #coordinator: Coordinator
  readonly #replica: PaxosReplica
  readonly #queue = new PartitionQueue()
  #lastMicros = 0

  constructor(deps: CoordinatorDeps, view: ClusterView, requests: RequestTable, writes: WritePath, coordinator: Coordinator, replica: PaxosReplica) {
    this.#deps = deps
    this.#view = view
    this.#requests = requests
    this.#writes = writes
    this.#coordinator = coordinator
    this.#replica = replica
    deps.router.handle(VERB.paxosPromise, (message) => this.#answered(message))
    deps.router.handle(VERB.paxosAccept, (message) => this.#answered(message))
    deps.router.handle(VERB.paxosFailed, (message) => this.#failed(message))
  }

  /** Resolves with whether the conditions held. Rejects with RequestErrors. */
  async update(request: CasRequest, serial: Consistency, commit: Consistency, nowSeconds: number): Promise<boolean> {
    const { table, key } = request
    const writer = new MutationWriter(256)
    let applied = false
    const decide = async (ballot: Ballot): Promise<Buffer> => {
      const { command, sink } = request.read()
      await this.#read(command, serial, sink)
      applied = request.applies()
      writer.reset()
      if (!applied) return Buffer.alloc(0)
      const count = request.encode({ writer, timestampHigh: highOf(ballot.micros), timestampLow: lowOf(ballot.micros), nowSeconds })
      checkViewKeys(writer.out.view(), count, this.#deps.metadata.current().schema)
      return Buffer.from(writer.out.view())
    }
    const proposal = await this.#run({ table, key, serial, decide, newest: null, contentions: 0, startedMs: this.#deps.clock.monotonicMs() })
    if (proposal.update.length > 0) await this.#commit(table, key, proposal, commit)
    return applied
  }

  /** A read of one partition that sees every update decided before. Rejects with RequestErrors. */
  async read(command: ReadCommand, serial: Consistency, sink: RowSink): Promise<void> {
    const { table, target } = command
    if (target.kind !== "partition") throw new TypeError("a serial read is of one partition")
    const key = Buffer.from(target.key)
    const response = new ResponseWriter(1024)
    const decide = async (): Promise<Buffer> => {
      response.reset()
      await this.#read(command, serial, response)
      return Buffer.alloc(0)
    }
    try {
      await this.#run({ table, key, serial, decide, newest: null, contentions: 0, startedMs: this.#deps.clock.monotonicMs() })
    } catch (error) {
      if (error instanceof WriteTimeoutError) throw new ReadTimeoutError(serial, error.received, error.required, false)
      throw error
    }
    replayResponse(response.out.take(), sink)
  }

  /** Proposers of this node do not contend with each other: they wait. */
  #run(attempt: Attempt): Promise<Proposal> {
    return this.#queue.run(attempt.table.id, attempt.key, () => this.#rounds(attempt))
  }

  /** Rounds until one is decided. */
  async #rounds(attempt: Attempt): Promise<Proposal> {
    const { clock, random } = this.#deps
    for (;;) {
      const participants = this.#participants(attempt)
      if (clock.monotonicMs() - attempt.startedMs >= CAS_CONTENTION_MS) throw casTimeout(attempt.serial, 0, participants.required, attempt.contentions)
      const round = new ProposerRound(this.#nextBallot(attempt.newest), participants.contacts, participants.required)
      const effect = await this.#round(attempt, round)
      if (effect.kind === "decided") return effect.proposal
      if (effect.kind === "uncertain") throw new CasWriteUnknownError(attempt.serial, effect.accepted, participants.required)
      if (effect.kind === "contended") {
        attempt.newest = effect.newest
        attempt.contentions++
        await clock.sleep(random.float() * MAX_BACKOFF_MS)
      }
    }
  }

  /** One ballot, up to its last effect. */
  async #round(attempt: Attempt, round: ProposerRound): Promise<Effect> {
    let effect = await this.#ask(round, this.#prepareQuestion(attempt, round))
    for (;;) {
      switch (effect.kind) {
        case "repair":
          if (!(await this.#repair(attempt, effect.commit, effect.nodes))) return { kind: "contended", newest: round.ballot }
          effect = { kind: "ready" }
          break
        case "ready":
          effect = round.propose(await attempt.decide(round.ballot), this.#view.snapshot().epoch)
          break
        case "propose":
          effect = await this.#ask(round, this.#proposeQuestion(attempt, round, effect.proposal))
          break
        case "finished":
          await this.#commit(attempt.table, attempt.key, effect.proposal, attempt.serial === CONSISTENCY.localSerial ? CONSISTENCY.localQuorum : CONSISTENCY.quorum)
          return effect
        case "decided":
        case "contended":
        case "uncertain":
          return effect
      }
    }
  }

  /** Throws UnavailableError when there is no majority to ask. */
  #participants({ table, key, serial }: Attempt): Participants {
    const view = this.#view
    const token = tokenOf(key)
    const placement = view.snapshot().placement(table.keyspace, token.high, token.low)
    if (placement === LOCAL_PLACEMENT) return { contacts: [view.self], required: 1 }
    const nodes = placement.write.filter((node) => view.counts(node, serial))
    const contacts = nodes.filter((node) => view.isAlive(node))
    const required = (nodes.length >>> 1) + 1
    if (contacts.length < required || nodes.length === 0) throw new UnavailableError(serial, required, contacts.length)
    // Two nodes that join at once could make two majorities that do not meet.
    if (placement.pending.length > 1) throw new UnavailableError(serial, required + 1, contacts.length)
    return { contacts, required }
  }

  #nextBallot(newest: Ballot | null): Ballot {
    this.#lastMicros = Math.max(this.#lastMicros + 1, this.#deps.clock.nowMicros(), (newest?.micros ?? 0) + 1)
    return { micros: this.#lastMicros, node: this.#view.self }
  }

  #requiredEpoch({ table, key }: Attempt): number {
    const snapshot = this.#view.snapshot()
    const token = tokenOf(key)
    return Math.max(snapshot.placement(table.keyspace, token.high, token.low).since, tableEpoch(snapshot, table.id))
  }

  #prepareQuestion(attempt: Attempt, round: ProposerRound): PaxosQuestion {
    const head = { requiredEpoch: this.#requiredEpoch(attempt), table: attempt.table.id, ballot: round.ballot, key: attempt.key }
    return {
      ask: (node, requestId) => {
        if (node === this.#view.self) this.#here(requestId, this.#replica.prepare(attempt.table, attempt.key, round.ballot), (answer) => round.prepared(node, answer))
        else {
          writeHead(head, this.#deps.router.begin(VERB.paxosPrepare, 0, requestId))
          this.#deps.router.send(node)
        }
      },
      take: (from, bytes, at) => round.prepared(from, readPromise(new ByteReader(bytes, at))),
    }
  }

  #proposeQuestion(attempt: Attempt, round: ProposerRound, proposal: Proposal): PaxosQuestion {
    const head = { requiredEpoch: this.#requiredEpoch(attempt), table: attempt.table.id, ballot: round.ballot, key: attempt.key }
    return {
      ask: (node, requestId) => {
        if (node === this.#view.self) this.#here(requestId, this.#replica.propose(attempt.table, attempt.key, proposal), (answer) => round.proposed(node, answer))
        else {
          const out = this.#deps.router.begin(VERB.paxosPropose, 0, requestId)
          writeHead(head, out)
          writeContent(proposal, out)
          this.#deps.router.send(node)
        }
      },
      take: (from, bytes, at) => round.proposed(from, readAccept(new ByteReader(bytes, at))),
    }
  }

  #ask(round: ProposerRound, question: PaxosQuestion): Promise<Effect> {
    const { clock, timeouts } = this.#deps
    return new Promise((resolve) => {
      const send = (exchange: PaxosExchange): void => {
        this.#requests.add(exchange, RESEND_MS)
        const id = exchange.requestId
        for (const node of round.waiting) question.ask(node, id)
      }
      send(new PaxosExchange(round, question, clock.monotonicMs() + timeouts.writeMs, () => clock.monotonicMs(), send, resolve))
    })
  }

  /** This node is a participant. A disk that fails is a participant that does not answer. */
  #here<T>(requestId: number, answer: Promise<T>, take: (answer: T) => Effect | null): void {
    answer.then(
      (given) => {
        const exchange = this.#requests.get(requestId)
        if (exchange instanceof PaxosExchange) this.#finish(exchange, take(given))
      },
      (error: unknown) => {
        if (error instanceof TypeError || (error instanceof Error && error.name === "AssertionError")) throw error
      },
    )
  }

  #answered(message: Message): void {
    const exchange = this.#requests.get(message.requestId)
    if (exchange instanceof PaxosExchange) this.#finish(exchange, exchange.question.take(message.from, message.bytes, message.at))
  }

  /** A replica that is ahead of this node: catch up, then begin a new round. Others that fail are asked again. */
  #failed(message: Message): void {
    const exchange = this.#requests.get(message.requestId)
    if (!(exchange instanceof PaxosExchange) || message.bytes.readUInt16BE(message.at) !== FAILURE.staleEpoch) return
    const { metadata, clock, timeouts } = this.#deps
    exchange.staleEpoch = message.epoch
    const waiting = metadata.waitFor(message.epoch, clock.monotonicMs() + timeouts.writeMs)
    const again = (): void => this.#finish(exchange, exchange.round.expire())
    if (isPromise(waiting)) waiting.then(again, again)
    else again()
  }

  #finish(exchange: PaxosExchange, effect: Effect | null): void {
    if (effect === null || exchange.isDone) return
    if (exchange.requestId !== 0) this.#requests.remove(exchange)
    exchange.finish(effect)
  }

  #read(command: ReadCommand, serial: Consistency, sink: RowSink): Promise<void> {
    const consistency = serial === CONSISTENCY.localSerial ? CONSISTENCY.localQuorum : CONSISTENCY.quorum
    return completed((completion) => this.#coordinator.read(command, consistency, sink, completion))
  }

  #commit(table: TableSchema, key: Buffer, proposal: Proposal, consistency: Consistency): Promise<void> {
    const mutation = this.#commitMutation(table, key, proposal)
    return completed((completion) => this.#coordinator.write(table.keyspace, mutation, 1, consistency, "SIMPLE", completion))
  }

  /** True when all of them have the commit. */
  async #repair({ table, key }: Attempt, proposal: Proposal, nodes: readonly number[]): Promise<boolean> {
    const mutation = this.#commitMutation(table, key, proposal)
    const told = nodes.map((node) => completed((completion) => this.#writes.deliver(VERB.readRepair, table.keyspace, mutation, node, completion)))
    try {
      await Promise.all(told)
      return true
    } catch (error) {
      if (error instanceof RequestError) return false
      throw error
    }
  }

  #commitMutation(table: TableSchema, key: Buffer, proposal: Proposal): Buffer {
    return Buffer.from(commitMutation(this.#view.snapshot().schema, table, key, proposal, Math.floor(this.#deps.clock.nowMicros() / 1_000_000)))
  }
}

function completed(start: (completion: Completion) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start({ done: (error) => (error === null ? resolve() : reject(error)) })
  })
}
