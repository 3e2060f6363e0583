import { expect, test } from "vitest"
import { MessageRouter, VERB } from "../coordinator/messages.ts"
import { ByteWriter } from "../data/bytes.ts"
import type { Clock, Timer } from "../runtime/clock.ts"
import { LANE, type Network, type NetworkHandlers } from "../runtime/network.ts"
import { HEARTBEAT_INTERVAL_MS, Heartbeats } from "./heartbeats.ts"

/** One node with one peer, and a clock that is moved by hand: timers run when the process gets to run. */
class Bench {
  nowMs = 0
  readonly heard: string[] = []
  #due: (() => void) | null = null
  #handlers: NetworkHandlers | null = null

  constructor() {
    const clock = {
      monotonicMs: () => this.nowMs,
      after: (_delayMs: number, fn: () => void): Timer => {
        this.#due = fn
        return { brand: "timer" }
      },
    } as Partial<Clock> as Clock
    const network = { self: 1, start: (handlers: NetworkHandlers) => void (this.#handlers = handlers), send: () => true } as Partial<Network> as Network
    const router = new MessageRouter(network, () => 0)
    const heartbeats = new Heartbeats(router, clock, () => [2], {
      up: (node) => this.heard.push(`${node} up`),
      down: (node) => this.heard.push(`${node} down`),
      epochSeen: () => undefined,
    })
    router.start()
    this.#handlers?.link(2, true)
    heartbeats.start()
  }

  /** The timer that is due fires. */
  tick(): void {
    this.#due?.()
  }

  arrive(): void {
    const envelope = new ByteWriter(16)
    envelope.uint8(VERB.heartbeat)
    envelope.uint8(0)
    envelope.uint32(0)
    envelope.uint32(0)
    this.#handlers?.message(2, LANE.control, envelope.take())
  }

  run(forMs: number, withHeartbeats: boolean): void {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; ) {
      this.nowMs += HEARTBEAT_INTERVAL_MS
      this.tick()
      if (withHeartbeats) this.arrive()
    }
  }
}

test("silence makes a peer down, its heartbeat up again", () => {
  const bench = new Bench()
  bench.run(2000, true)
  expect(bench.heard).toEqual(["2 up"])
  bench.run(5000, false)
  expect(bench.heard).toEqual(["2 up", "2 down"])
  bench.arrive()
  expect(bench.heard).toEqual(["2 up", "2 down", "2 up"])
})

test("a node that did not run for a while does not accuse its peer, whose heartbeats it has not read yet", () => {
  const bench = new Bench()
  bench.run(2000, true)
  bench.nowMs += 30_000
  bench.tick()
  expect(bench.heard).toEqual(["2 up"])
  bench.arrive()
  bench.run(1000, true)
  expect(bench.heard).toEqual(["2 up"])
  // A peer that is gone is found out all the same, counted from the end of the pause.
  bench.nowMs += 30_000
  bench.tick()
  bench.run(5000, false)
  expect(bench.heard).toEqual(["2 up", "2 down"])
})
