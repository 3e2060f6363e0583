// One read command put to several replicas: the first is asked for data, the others for data or a digest, and the
// exchange is done when as many as are needed have answered.
//
// A replica that fails, or is slower than it should be, is replaced by a spare one, which is asked for data; answers of
// both are good. What came late finds no exchange any more.
import { type Consistency, ReadFailureError, ReadTimeoutError, type RequestError } from "../../cql/errors.ts"
import type { ReadCommand } from "../../data/read-command.ts"
import type { NodeId } from "../../runtime/network.ts"
import type { InFlight } from "../request-table.ts"
import type { Trace } from "../trace.ts"

export interface ExchangeListener {
  /** Once. With an error nothing else of the exchange counts. */
  exchanged(exchange: ReadExchange, error: RequestError | null): void
}

export interface ReadAnswer {
  readonly node: NodeId
  /** A read response, or 16 bytes of digest. */
  readonly bytes: Buffer
  readonly isDigest: boolean
}

export class ReadExchange implements InFlight {
  requestId = 0
  readonly command: ReadCommand
  readonly consistency: Consistency
  readonly required: number
  readonly listener: ExchangeListener
  readonly trace: Trace | null
  readonly answers: ReadAnswer[] = []
  readonly failures: { readonly address: string; readonly code: number }[] = []
  /** Asked and not answered. */
  readonly waiting: NodeId[] = []
  /** Live replicas not asked yet, best first. */
  readonly spares: NodeId[]
  /** Set by a replica that knows of a later change: the whole read is done again at that epoch. */
  staleEpoch = 0
  startedMs = 0
  #done = false

  constructor(command: ReadCommand, consistency: Consistency, required: number, spares: NodeId[], listener: ExchangeListener, trace: Trace | null) {
    this.command = command
    this.consistency = consistency
    this.required = required
    this.spares = spares
    this.listener = listener
    this.trace = trace
  }

  get isDone(): boolean {
    return this.#done
  }

  /** False when the answer was not waited for. */
  answer(node: NodeId, bytes: Buffer, isDigest: boolean): boolean {
    if (!this.#stopWaiting(node)) return false
    this.answers.push({ node, bytes, isDigest })
    return true
  }

  fail(node: NodeId, address: string, code: number): boolean {
    if (!this.#stopWaiting(node)) return false
    this.failures.push({ address, code })
    return true
  }

  hasData(): boolean {
    return this.answers.some(({ isDigest }) => !isDigest)
  }

  isSatisfied(): boolean {
    return this.answers.length >= this.required && this.hasData()
  }

  /** Nobody is left who could make it enough. */
  isHopeless(): boolean {
    if (this.spares.length > 0) return false
    return this.answers.length + this.waiting.length < this.required || (this.waiting.length === 0 && !this.hasData())
  }

  failure(): RequestError {
    return new ReadFailureError(this.consistency, this.answers.length, this.required, this.failures, this.hasData())
  }

  finish(error: RequestError | null): void {
    if (this.#done) return
    this.#done = true
    this.listener.exchanged(this, error)
  }

  expire(): void {
    this.finish(new ReadTimeoutError(this.consistency, Math.min(this.answers.length, this.required), this.required, this.hasData()))
  }

  #stopWaiting(node: NodeId): boolean {
    const index = this.waiting.indexOf(node)
    if (index < 0) return false
    this.waiting.splice(index, 1)
    return true
  }
}
