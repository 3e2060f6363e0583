// Speculative retry: how long a read waits before it asks one more replica (table option speculative_retry).
//
// ALWAYS, NEVER and a number of milliseconds mean what they say. A percentile is estimated from the replicas' moving
// average, as a multiple of it: latencies are skewed, and asking one replica more now and then is cheap. MIN and MAX
// take the smaller or larger of their two operands.
import type { InFlight } from "../request-table.ts"
import type { ReadExchange } from "./read-exchange.ts"

const LEAST_MS = 4
const MULTIPLE_AT_50 = 1
const MULTIPLE_AT_99 = 4

/** Milliseconds; Infinity: never. */
export function speculativeDelayMs(option: string, averageMs: number): number {
  const text = option.trim().toUpperCase()
  const both = /^(MIN|MAX)\((.+),(.+)\)$/.exec(text)
  if (both !== null) {
    const [a, b] = [speculativeDelayMs(both[2] as string, averageMs), speculativeDelayMs(both[3] as string, averageMs)]
    return both[1] === "MIN" ? Math.min(a, b) : Math.max(a, b)
  }
  if (text === "ALWAYS") return 0
  if (text === "NONE" || text === "NEVER") return Infinity
  const percentile = /^([\d.]+)P(ERCENTILE)?$/.exec(text)
  if (percentile !== null) {
    const above = Math.max(0, Math.min(100, Number(percentile[1])) - 50) / 49
    return Math.max(LEAST_MS, averageMs * (MULTIPLE_AT_50 + above * (MULTIPLE_AT_99 - MULTIPLE_AT_50)))
  }
  const fixed = /^([\d.]+)MS$/.exec(text)
  return fixed === null ? Infinity : Number(fixed[1])
}

/** The next power of two: the deadline queue keeps one queue for each delay. */
export function roundedDelayMs(delayMs: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, delayMs)))
}

/** The moment at which an exchange that is not done asks a spare replica. */
export class Speculation implements InFlight {
  requestId = 0
  readonly #exchange: ReadExchange
  readonly #askSpare: (exchange: ReadExchange) => void

  constructor(exchange: ReadExchange, askSpare: (exchange: ReadExchange) => void) {
    this.#exchange = exchange
    this.#askSpare = askSpare
  }
  expire(): void {
    if (!this.#exchange.isDone) this.#askSpare(this.#exchange)
  }
}
