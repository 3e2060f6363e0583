// Faults that tests put on a node's own links. A cut is taken for a silent one: what is sent and what arrives is dropped, sockets
// stay open, and no new connection comes about; the other node needs no command. A delay holds frames back in both directions.
import type { NodeId } from "../network.ts"

export class LinkFaults {
  readonly #cut = new Set<NodeId>()
  readonly #delayMs = new Map<NodeId, number>()

  isCut(peer: NodeId): boolean {
    return this.#cut.size > 0 && this.#cut.has(peer)
  }
  delayMs(peer: NodeId): number {
    return this.#delayMs.size === 0 ? 0 : (this.#delayMs.get(peer) ?? 0)
  }
  cut(peer: NodeId): void {
    this.#cut.add(peer)
  }
  restore(peer: NodeId): void {
    this.#cut.delete(peer)
    this.#delayMs.delete(peer)
  }
  restoreAll(): void {
    this.#cut.clear()
    this.#delayMs.clear()
  }
  delay(peer: NodeId, ms: number): void {
    if (ms > 0) this.#delayMs.set(peer, ms)
    else this.#delayMs.delete(peer)
  }
}
