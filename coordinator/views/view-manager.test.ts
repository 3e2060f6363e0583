import { expect, test } from "vitest"
import { ByteWriter } from "../../data/bytes.ts"
import type { LogPosition } from "../../data/local-store.ts"
import { encodeClustering } from "../../data/row-format.ts"
import type { Network } from "../../runtime/network.ts"
import { Buffer } from "../../runtime/pure.ts"
import { SimulatedClock } from "../../runtime/simulated/simulated-clock.ts"
import type { ClusterMetadata, Snapshot } from "../cluster/cluster-metadata.ts"
import { MessageRouter } from "../messages.ts"
import { encodeObligation } from "./obligation.ts"
import { FakeStore, TestMetadata, VIEW_ID, baseRow, schemaWith } from "./testing.ts"
import { ViewManager } from "./view-manager.ts"

function obligation(a: string): Buffer {
  const out = new ByteWriter()
  const viewKey = [Buffer.from(a), Buffer.from("p"), Buffer.from("q")]
  encodeObligation({ selfWritten: true, view: VIEW_ID, base: 1000, incarnation: 1, counter: 1, token: { high: 0, low: 5 }, key: Buffer.from("p"), clustering: encodeClustering([Buffer.from("q")]), viewKey }, out)
  return out.take()
}

class Setting {
  readonly clock = new SimulatedClock()
  readonly store = new FakeStore()
  readonly metadata = new TestMetadata()
  readonly sent: number[] = []
  /** In order: what happened to log segments. */
  readonly holds: string[] = []
  readonly manager: ViewManager
  #subscribers: ((next: Snapshot, previous: Snapshot) => void)[] = []

  constructor(maxOpen?: number) {
    const network: Network = { self: 1, send: (to) => this.sent.push(to) > 0, start: () => undefined, stop: () => Promise.resolve() }
    const metadata = {
      current: () => this.metadata.snapshot,
      subscribe: (fn: (next: Snapshot, previous: Snapshot) => void) => {
        this.#subscribers.push(fn)
        return () => {
          this.#subscribers = this.#subscribers.filter((other) => other !== fn)
        }
      },
      propose: () => new Promise(() => undefined),
    } as unknown as ClusterMetadata
    const hold = this.store.hold.bind(this.store)
    this.store.hold = (position: LogPosition) => {
      this.holds.push(`hold ${position.segment}`)
      return hold(position)
    }
    this.store.obligationsTaken = () => void this.holds.push("taken")
    this.store.put("p", baseRow("q", 5, { a: "x" }))
    this.manager = new ViewManager({
      self: 1, incarnation: 2, router: new MessageRouter(network, () => this.metadata.snapshot.epoch), metadata, clock: this.clock, store: () => this.store,
      liveness: { isAlive: () => true }, log: () => undefined, ...(maxOpen === undefined ? {} : { maxOpen }),
    })
  }
  change(...changes: Parameters<TestMetadata["change"]>): void {
    const previous = this.metadata.change(...changes)
    for (const subscriber of this.#subscribers) subscriber(this.metadata.snapshot, previous)
  }
  get subscribers(): number {
    return this.#subscribers.length
  }
  async pass(ms: number): Promise<void> {
    await this.clock.run(this.clock.scheduler.nowMicros / 1000 + ms)
  }
}

test("what is found in the log waits until the store is open; its segments are held before the store may let them go", async () => {
  const setting = new Setting()
  setting.manager.obligation(obligation("x"), { segment: 4, offset: 1 })
  setting.manager.obligation(obligation("y"), { segment: 5, offset: 1 })
  await setting.pass(1000)
  expect([setting.manager.pending, setting.holds, setting.sent]).toEqual([2, [], []])
  setting.manager.start()
  expect(setting.holds).toEqual(["hold 4", "hold 5", "taken"])
  setting.store.append(6)
  setting.store.sync()
  await setting.pass(10)
  expect(setting.sent.toSorted()).toEqual([2, 3])
  expect(setting.manager.pending).toBe(2)
})

test("more than there is room for is not kept, only its segments, which are held too and read later", async () => {
  const setting = new Setting(1)
  const read: number[] = []
  setting.store.obligationsIn = (segment, visit) => {
    read.push(segment)
    for (const name of segment === 4 ? ["y"] : ["z", "w"]) visit(obligation(name))
    return Promise.resolve()
  }
  for (const [name, segment] of [["x", 4], ["y", 4], ["z", 5], ["w", 5]] as const) setting.manager.obligation(obligation(name), { segment, offset: 1 })
  expect(setting.manager.pending).toBe(3)
  setting.manager.start()
  expect(setting.holds).toEqual(["hold 4", "hold 4", "hold 5", "taken"])
  // Until x is acknowledged there is no room.
  setting.store.append(6)
  setting.store.sync()
  await setting.pass(1000)
  expect(read).toEqual([])
  setting.change({ kind: "schema", expected: setting.metadata.snapshot.schemaEpoch, schema: schemaWith([]) })
  await setting.pass(1000)
  expect([read, setting.manager.pending]).toEqual([[4, 5], 0])
})

test("with nothing in the log the store is told all the same", () => {
  const setting = new Setting()
  setting.manager.start()
  expect(setting.holds).toEqual(["taken"])
})

test("a dropped view is owed nothing as soon as the drop is known; a stopped manager hears of nothing", async () => {
  const setting = new Setting()
  setting.manager.start()
  setting.manager.obligation(obligation("x"), setting.store.append())
  await setting.pass(10)
  expect(setting.manager.pending).toBe(1)
  setting.change({ kind: "schema", expected: setting.metadata.snapshot.schemaEpoch, schema: schemaWith([]) })
  expect(setting.manager.pending).toBe(0)
  setting.manager.stop()
  expect(setting.subscribers).toBe(0)
})
