// Phi-accrual failure detection (Hayashibara et al., "The phi accrual failure detector", 2004), in the exponential form
// that Cassandra uses: phi = elapsed / mean interval * log10(e). A pure state machine: times go in, verdicts come out.

const WINDOW = 100
const LOG10_E = 0.4342944819

interface Arrivals {
  readonly intervalsMs: number[]
  sumMs: number
  lastMs: number
}

export class FailureDetector {
  readonly #threshold: number
  readonly #expectedIntervalMs: number
  readonly #arrivals = new Map<number, Arrivals>()

  /** `threshold`: phi above which a node is taken for dead; `expectedIntervalMs`: between heartbeats, before any was seen. */
  constructor(threshold: number, expectedIntervalMs: number) {
    this.#threshold = threshold
    this.#expectedIntervalMs = expectedIntervalMs
  }

  heartbeat(node: number, nowMs: number): void {
    const known = this.#arrivals.get(node)
    if (known === undefined) {
      this.#arrivals.set(node, { intervalsMs: [], sumMs: 0, lastMs: nowMs })
      return
    }
    const intervalMs = Math.max(0, nowMs - known.lastMs)
    known.lastMs = nowMs
    // A pause longer than the verdict says nothing about the rhythm of a node that runs.
    if (intervalMs > this.#expectedIntervalMs * 10) return
    known.intervalsMs.push(intervalMs)
    known.sumMs += intervalMs
    if (known.intervalsMs.length > WINDOW) known.sumMs -= known.intervalsMs.shift() as number
  }

  /** This node was paused: what others sent meanwhile waits to be read, so that their silence of that time does not count. */
  forgive(pauseMs: number): void {
    for (const arrivals of this.#arrivals.values()) arrivals.lastMs += pauseMs
  }

  forget(node: number): void {
    this.#arrivals.delete(node)
  }

  /** Infinity when the node was never heard of. */
  phi(node: number, nowMs: number): number {
    const known = this.#arrivals.get(node)
    if (known === undefined) return Infinity
    const count = known.intervalsMs.length
    // Bursts of heartbeats must not make the detector nervous: the mean is never below the interval that is meant.
    const meanMs = Math.max(this.#expectedIntervalMs, count === 0 ? 0 : known.sumMs / count)
    return ((nowMs - known.lastMs) / meanMs) * LOG10_E
  }

  isAlive(node: number, nowMs: number): boolean {
    return this.phi(node, nowMs) < this.#threshold
  }
}
