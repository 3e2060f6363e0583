// Who is up: every node sends every other a heartbeat, whose envelope also carries its metadata epoch. A peer is up while
// its link is up and the failure detector has not given it up.
import type { Liveness } from "../coordinator/cluster/cluster-metadata.ts"
import { type MessageRouter, VERB } from "../coordinator/messages.ts"
import type { Clock, Timer } from "../runtime/clock.ts"
import { LANE } from "../runtime/network.ts"
import { FailureDetector } from "./failure-detector.ts"

export const HEARTBEAT_INTERVAL_MS = 200
const PHI_CONVICT_THRESHOLD = 8

export interface HeartbeatEvents {
  up(node: number): void
  down(node: number): void
  epochSeen(node: number, epoch: number): void
}

export class Heartbeats implements Liveness {
  readonly #router: MessageRouter
  readonly #clock: Clock
  readonly #peers: () => Iterable<number>
  readonly #events: HeartbeatEvents
  readonly #detector = new FailureDetector(PHI_CONVICT_THRESHOLD, HEARTBEAT_INTERVAL_MS)
  readonly #linked = new Set<number>()
  readonly #alive = new Set<number>()
  #timer: Timer | null = null
  #lastBeatMs = NaN

  /** `peers`: every member but this node, at each moment. */
  constructor(router: MessageRouter, clock: Clock, peers: () => Iterable<number>, events: HeartbeatEvents) {
    this.#router = router
    this.#clock = clock
    this.#peers = peers
    this.#events = events
    router.handle(VERB.heartbeat, (message) => {
      this.#detector.heartbeat(message.from, clock.monotonicMs())
      events.epochSeen(message.from, message.epoch)
      this.#judge(message.from)
    })
    router.onLink((peer, up) => {
      if (up) this.#linked.add(peer)
      else this.#linked.delete(peer)
      if (up) this.beat()
      this.#judge(peer)
    })
  }

  start(): void {
    this.#noticePause()
    this.beat()
    this.#timer = this.#clock.after(HEARTBEAT_INTERVAL_MS, () => this.start())
    for (const peer of this.#peers()) this.#judge(peer)
  }

  /** Timers run before sockets are read: a node that slept would otherwise find everybody dead. */
  #noticePause(): void {
    const nowMs = this.#clock.monotonicMs()
    const lateMs = nowMs - this.#lastBeatMs - HEARTBEAT_INTERVAL_MS
    if (lateMs > HEARTBEAT_INTERVAL_MS) this.#detector.forgive(lateMs)
    this.#lastBeatMs = nowMs
  }

  stop(): void {
    if (this.#timer !== null) this.#clock.cancel(this.#timer)
    this.#timer = null
    this.#lastBeatMs = NaN
  }

  /** A heartbeat to everybody now: also how others learn at once that an epoch has been applied. */
  beat(): void {
    this.#router.begin(VERB.heartbeat, 0, 0)
    for (const peer of this.#peers()) this.#router.send(peer, LANE.control)
  }

  isAlive(node: number): boolean {
    return node === this.#router.self || this.#alive.has(node)
  }

  #judge(peer: number): void {
    const alive = this.#linked.has(peer) && this.#detector.isAlive(peer, this.#clock.monotonicMs())
    if (alive === this.#alive.has(peer)) return
    if (alive) {
      this.#alive.add(peer)
      this.#events.up(peer)
    } else {
      this.#alive.delete(peer)
      this.#events.down(peer)
    }
  }
}
