// Runs read exchanges: sends the command, reads the local replica directly, and takes the answers.
import { type Consistency, type RequestError } from "../cql/errors.ts"
import type { ReadCommand } from "../data/read-command.ts"
import type { NodeId } from "../runtime/network.ts"
import { Buffer, type Maybe, isPromise } from "../runtime/pure.ts"
import type { ClusterView } from "./cluster/cluster-view.ts"
import type { CoordinatorDeps, TraceHolder } from "./coordinator-deps.ts"
import { FAILURE, clientFailureCode, requestErrorOf } from "./failure.ts"
import { type Message, VERB } from "./messages.ts"
import { tableEpoch } from "./writes/mutation-tables.ts"
import { READ_FLAG, encodeReadCommand } from "./reads/read-command-codec.ts"
import { type ExchangeListener, ReadExchange } from "./reads/read-exchange.ts"
import type { ReadReplicas } from "./reads/read-replicas.ts"
import { ResponseWriter } from "./reads/read-response.ts"
import type { ReplicaLatency } from "./reads/replica-latency.ts"
import type { RequestTable } from "./request-table.ts"
import { Speculation, roundedDelayMs, speculativeDelayMs } from "./reads/speculation.ts"

export class Exchanges implements TraceHolder {
  trace: TraceHolder["trace"] = null
  readonly #deps: CoordinatorDeps
  readonly #view: ClusterView
  readonly #requests: RequestTable
  readonly #speculations: RequestTable
  readonly #latency: ReplicaLatency
  readonly #askSpare = (exchange: ReadExchange): void => this.#ask(exchange, exchange.spares.shift(), false)

  constructor(deps: CoordinatorDeps, view: ClusterView, requests: RequestTable, speculations: RequestTable, latency: ReplicaLatency) {
    this.#deps = deps
    this.#view = view
    this.#requests = requests
    this.#speculations = speculations
    this.#latency = latency
    deps.router.handle(VERB.readData, (message) => this.#answered(message, false))
    deps.router.handle(VERB.readDigest, (message) => this.#answered(message, true))
    deps.router.handle(VERB.readFailed, (message) => this.#failed(message))
  }

  /** `digests`: all but the first replica are asked for a digest only. */
  start(command: ReadCommand, consistency: Consistency, replicas: ReadReplicas, digests: boolean, listener: ExchangeListener): void {
    const exchange = new ReadExchange(command, consistency, replicas.required, [...replicas.spares], listener, this.trace)
    const { timeouts, clock } = this.#deps
    exchange.startedMs = clock.monotonicMs()
    this.#requests.add(exchange, command.target.kind === "range" ? timeouts.rangeMs : timeouts.readMs)
    this.#speculate(exchange, replicas.contacts)
    // Remote replicas first: they work while this node reads.
    const { self } = this.#view
    for (let index = replicas.contacts.length - 1; index >= 0; index--) {
      const node = replicas.contacts[index] as NodeId
      exchange.waiting.push(node)
      if (node !== self) this.#send(exchange, node, digests && index > 0)
    }
    if (replicas.contacts.includes(self)) this.#readHere(exchange)
  }

  #speculate(exchange: ReadExchange, contacts: readonly NodeId[]): void {
    if (exchange.spares.length === 0) return
    let averageMs = 0
    for (const node of contacts) averageMs = Math.max(averageMs, this.#latency.averageMs(node))
    const delayMs = speculativeDelayMs(exchange.command.table.options.speculativeRetry, averageMs)
    if (delayMs < this.#deps.timeouts.readMs) this.#speculations.add(new Speculation(exchange, this.#askSpare), roundedDelayMs(delayMs))
  }

  #ask(exchange: ReadExchange, node: NodeId | undefined, digest: boolean): void {
    if (node === undefined) return
    exchange.waiting.push(node)
    if (node === this.#view.self) this.#readHere(exchange)
    else this.#send(exchange, node, digest)
  }

  #send(exchange: ReadExchange, node: NodeId, digest: boolean): void {
    const { command } = exchange
    const { router } = this.#deps
    const out = router.begin(VERB.read, digest ? READ_FLAG.digest : 0, exchange.requestId)
    encodeReadCommand(command, this.#requiredEpoch(command), out)
    exchange.trace?.event(`Sending ${command.target.kind === "range" ? "RANGE" : "READ"}_REQ message to /${this.#view.addressOf(node)}`)
    router.send(node)
  }

  #requiredEpoch(command: ReadCommand): number {
    const { table, target } = command
    const token = target.kind === "partition" ? target.token : target.range.end
    const snapshot = this.#view.snapshot()
    return Math.max(snapshot.placement(table.keyspace, token.high, token.low).since, tableEpoch(snapshot, table.id))
  }

  #readHere(exchange: ReadExchange): void {
    const { self } = this.#view
    const writer = new ResponseWriter(1024)
    exchange.trace?.event(`Executing ${exchange.command.target.kind === "range" ? "range" : "single-partition"} query on ${exchange.command.table.name}`)
    const finished = (): void => this.#settle(exchange, self, writer.out.view(), false)
    const failed = (error: unknown): void => {
      const refused: RequestError | null = requestErrorOf(error)
      if (refused !== null) this.#finish(exchange, refused)
      else this.#settleFailure(exchange, self, FAILURE.unknown)
    }
    let reading: Maybe<void>
    try {
      reading = this.#deps.store.read(exchange.command, writer)
    } catch (error) {
      failed(error)
      return
    }
    if (isPromise(reading)) reading.then(finished, failed)
    else finished()
  }

  #answered(message: Message, isDigest: boolean): void {
    const exchange = this.#requests.get(message.requestId)
    if (!(exchange instanceof ReadExchange)) return
    this.#latency.measured(message.from, this.#deps.clock.monotonicMs() - exchange.startedMs)
    exchange.trace?.event(`READ_RSP message received from /${this.#view.addressOf(message.from)}`)
    this.#settle(exchange, message.from, Buffer.from(message.bytes.subarray(message.at)), isDigest)
  }

  #failed(message: Message): void {
    const exchange = this.#requests.get(message.requestId)
    if (!(exchange instanceof ReadExchange)) return
    const code = message.bytes.readUInt16BE(message.at)
    if (code === FAILURE.staleEpoch) exchange.staleEpoch = Math.max(exchange.staleEpoch, message.epoch)
    this.#settleFailure(exchange, message.from, code)
  }

  #settle(exchange: ReadExchange, node: NodeId, bytes: Buffer, isDigest: boolean): void {
    if (exchange.isDone || !exchange.answer(node, bytes, isDigest)) return
    if (exchange.isSatisfied()) this.#finish(exchange, null)
    // Enough digests, and whoever was asked for the data is not coming.
    else if (exchange.waiting.length === 0) this.#replace(exchange)
  }

  #settleFailure(exchange: ReadExchange, node: NodeId, code: number): void {
    if (exchange.isDone || !exchange.fail(node, this.#view.addressOf(node), clientFailureCode(code))) return
    this.#replace(exchange)
  }

  #replace(exchange: ReadExchange): void {
    if (exchange.isHopeless()) this.#finish(exchange, exchange.failure())
    else if (exchange.spares.length > 0) this.#ask(exchange, exchange.spares.shift(), false)
  }

  #finish(exchange: ReadExchange, error: RequestError | null): void {
    if (exchange.isDone) return
    if (exchange.requestId !== 0) this.#requests.remove(exchange)
    exchange.finish(error)
  }
}
