// What a replica answers to writes: one message to each node for all its mutations of a turn of the event loop, and only
// after the log has been written.
import { expect, test } from "vitest"
import { resolveSchema } from "../data/resolve-schema.ts"
import type { Network, NetworkHandlers, NodeId } from "../runtime/network.ts"
import { Buffer } from "../runtime/pure.ts"
import type { CoordinatorDeps } from "./coordinator-deps.ts"
import { ENVELOPE_SIZE, MessageRouter, VERB } from "./messages.ts"
import { Replica } from "./replica.ts"
import { insert, testSchema } from "./testing.ts"

class ReplicaBench {
  /** "node verb: request ids", and "write out". */
  readonly log: string[] = []
  failure: Error | null = null
  #handlers: NetworkHandlers | null = null
  #turnEnd: (() => void)[] = []

  constructor() {
    const network = {
      self: 1,
      start: (handlers: NetworkHandlers) => {
        this.#handlers = handlers
      },
      send: (to: NodeId, _lane: number, bytes: Uint8Array) => {
        this.log.push(this.#text(to, Buffer.from(bytes)))
        return true
      },
    } as unknown as Network
    const router = new MessageRouter(network, () => 5)
    const snapshot = { epoch: 1, schema: resolveSchema(testSchema(3), []), truncationEpoch: () => 0 }
    new Replica({
      self: 1, router, derive: null, timeouts: { readMs: 1, rangeMs: 1, writeMs: 1 },
      clock: { atTurnEnd: (fn: () => void) => this.#turnEnd.push(fn), monotonicMs: () => 0 },
      metadata: { current: () => snapshot, waitFor: () => undefined },
      store: {
        apply: () => ({ segment: 1, offset: 1 }),
        writeOut: () => {
          this.log.push("write out")
          if (this.failure !== null) throw this.failure
        },
      },
    } as unknown as CoordinatorDeps)
    router.start()
  }

  write(from: NodeId, requestId: number, bytes = insert("k", requestId, "v", 1)): void {
    const head = Buffer.alloc(ENVELOPE_SIZE + 4)
    head[0] = VERB.write
    head.writeUInt32BE(requestId, 2)
    head.writeUInt32BE(5, 6)
    this.#handlers?.message(from, 0, Buffer.concat([head, bytes]))
  }
  endTurn(): void {
    for (const fn of this.#turnEnd.splice(0)) fn()
  }

  #text(to: NodeId, bytes: Buffer): string {
    const verb = bytes[0] === VERB.writeAck ? "ack" : "failed"
    const ids = [bytes.readUInt32BE(2)]
    if (verb === "ack") for (let at = ENVELOPE_SIZE; at < bytes.length; at += 4) ids.push(bytes.readUInt32BE(at))
    return `${to} ${verb}: ${ids.join(" ")}`
  }
}

test("the writes of a turn are acknowledged together, node by node, once the log is written", () => {
  const bench = new ReplicaBench()
  bench.write(2, 10)
  bench.write(3, 20)
  bench.write(2, 11)
  bench.write(2, 12)
  bench.write(3, 21)
  expect(bench.log).toEqual([])
  bench.endTurn()
  expect(bench.log).toEqual(["write out", "2 ack: 10 11 12", "3 ack: 20 21"])
  bench.write(3, 22)
  bench.endTurn()
  expect(bench.log.slice(3)).toEqual(["write out", "3 ack: 22"])
})

test("when the log fails every write of the turn is refused", () => {
  const bench = new ReplicaBench()
  bench.failure = new Error("the disk is gone")
  bench.write(2, 10)
  bench.write(2, 11)
  bench.endTurn()
  expect(bench.log).toEqual(["write out", "2 failed: 10", "2 failed: 11"])
})
