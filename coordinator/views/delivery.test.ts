// View messages between two nodes over a wire that the test holds in its hand.
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { CorruptionError } from "../../data/bytes.ts"
import type { Row } from "../../data/row.ts"
import { AnnotatingReader } from "../../data/testdata/annotating-reader.ts"
import type { Network, NetworkHandlers } from "../../runtime/network.ts"
import { Buffer } from "../../runtime/pure.ts"
import { SimulatedClock } from "../../runtime/simulated/simulated-clock.ts"
import type { ClusterMetadata } from "../cluster/cluster-metadata.ts"
import { ENVELOPE_SIZE, MessageRouter, VERB } from "../messages.ts"
import { VIEW_MESSAGE_MAX_AGE_MS } from "../../data/view-message-age.ts"
import { ByteWriter } from "../../data/bytes.ts"
import { MutationWriter } from "../../data/mutation.ts"
import { ViewMessenger } from "./delivery.ts"
import { writeEntry } from "./entry-mutation.ts"
import { OutboxBatch } from "./outbox-batch.ts"
import type { Obligation } from "./outbox-obligation.ts"
import { FakeStore, TestMetadata, VIEW_ID, baseRow, nodeChange, rowView, schemaWith } from "./testing.ts"

/** One node's messenger. What it sends is kept in `wire` until the test delivers it. */
class Peer {
  readonly store = new FakeStore()
  readonly metadata = new TestMetadata()
  readonly clock: SimulatedClock
  /** "target:batch", with the entries that were refused. */
  readonly answered: string[] = []
  readonly lines: string[] = []
  wire: { readonly to: number; readonly bytes: Buffer }[] = []
  /** Resolved by the test when the node has caught up. */
  waiting: PromiseWithResolvers<void> | null = null
  readonly messenger: ViewMessenger
  #handlers: NetworkHandlers | null = null

  constructor(self: number, clock: SimulatedClock, incarnation: number) {
    this.clock = clock
    const network: Network = {
      self,
      send: (to, _lane, bytes) => this.wire.push({ to, bytes: Buffer.from(bytes) }) > 0,
      start: (handlers) => {
        this.#handlers = handlers
      },
      stop: () => Promise.resolve(),
    }
    const metadata = {
      current: () => this.metadata.snapshot,
      waitFor: (epoch: number) => (this.metadata.snapshot.epoch >= epoch ? undefined : (this.waiting ??= Promise.withResolvers<void>()).promise),
    } as unknown as ClusterMetadata
    const router = new MessageRouter(network, () => this.metadata.snapshot.epoch)
    this.messenger = new ViewMessenger({
      incarnation, router, store: () => this.store, metadata, clock, log: (line) => this.lines.push(line),
      answered: (target, batch, refused) => this.answered.push(`${target}:${batch}${refused.length === 0 ? "" : ` but ${refused.join()}`}`),
    })
    router.start()
  }
  /** A batch built now, of one entry for each row. */
  batch(to: number, number: number, rows: readonly Row[] = [baseRow("q", 5, { a: "x", b: "1" })]): OutboxBatch {
    const { base, view } = this.metadata
    const batch = new OutboxBatch(to, number, this.clock.nowMicros(), this.metadata.snapshot.epoch, new ByteWriter())
    const writer = new MutationWriter()
    for (const row of rows) {
      writer.reset()
      batch.bytes!.bytes(writeEntry(writer, base, view, rowView("p", row), [Buffer.from("x"), Buffer.from("p"), Buffer.from("q")]))
      batch.obligations.push({} as Obligation)
    }
    return batch
  }
  transmit(batch: OutboxBatch): void {
    const bytes = Buffer.from(batch.bytes!.view())
    this.messenger.transmit(batch, bytes)
    bytes.fill(0xee)
  }
  send(to: number, number: number, rows?: readonly Row[]): void {
    this.transmit(this.batch(to, number, rows))
  }
  /** As the network does: the bytes are gone afterwards. */
  receive(from: number, bytes: Buffer): void {
    const own = Buffer.from(bytes)
    this.#handlers?.message(from, 1, own)
    own.fill(0xdd)
  }
}

class Setting {
  readonly clock = new SimulatedClock()
  readonly one = new Peer(1, this.clock, 7)
  readonly two = new Peer(2, this.clock, 3)

  async pass(ms = 1): Promise<void> {
    await this.clock.run(this.clock.scheduler.nowMicros / 1000 + ms)
  }
  /** Delivers everything that is on the wire, both ways, once. */
  deliver(): void {
    const [fromOne, fromTwo] = [this.one.wire, this.two.wire]
    this.one.wire = []
    this.two.wire = []
    for (const { bytes } of fromOne) this.two.receive(1, bytes)
    for (const { bytes } of fromTwo) this.one.receive(2, bytes)
  }
  async exchange(): Promise<void> {
    await this.pass()
    this.deliver()
    this.two.store.sync()
    await this.pass()
    this.deliver()
  }
}

const TWO_ROWS = [baseRow("q", 5, { a: "x", b: "1" }), baseRow("q", 6, { a: "x", b: "2" })]

describe("a message", () => {
  test("4.2: is acknowledged when the receiver's own records are durable", async () => {
    const setting = new Setting()
    setting.one.send(2, 11, TWO_ROWS)
    await setting.pass()
    expect(setting.one.wire).toHaveLength(1)
    setting.deliver()
    await setting.pass(100)
    expect([setting.two.store.applied.length, setting.two.wire.length]).toEqual([2, 0])
    setting.two.store.sync()
    setting.deliver()
    expect(setting.one.answered).toEqual(["2:11"])
  })

  test("says when and knowing what its first entry was built, not when it left", async () => {
    const setting = new Setting()
    const { epoch } = setting.one.metadata.snapshot
    const builtAt = setting.clock.nowMicros()
    const batch = setting.one.batch(2, 11)
    await setting.pass(50)
    setting.one.metadata.change({ kind: "truncate", table: 1000 })
    setting.one.transmit(batch)
    const { bytes } = setting.one.wire[0]!
    expect(bytes.readUInt32BE(ENVELOPE_SIZE + 8)).toBe(epoch)
    expect(Number(bytes.readBigInt64BE(ENVELOPE_SIZE + 12))).toBe(builtAt)
  })

  test("with bytes that are none is corruption", () => {
    const setting = new Setting()
    const bytes = Buffer.concat([Buffer.from([VERB.view, 0]), Buffer.alloc(8), Buffer.from([9])])
    expect(() => setting.two.receive(1, bytes)).toThrow(CorruptionError)
    expect(() => setting.two.receive(1, bytes.fill(VERB.viewAck, 0, 1))).toThrow(CorruptionError)
    setting.one.send(2, 11, TWO_ROWS)
    const whole = setting.one.wire[0]!.bytes
    expect(() => setting.two.receive(1, whole.subarray(0, -1))).toThrow(CorruptionError)
    expect(() => setting.two.receive(1, whole.subarray(0, ENVELOPE_SIZE + 26))).toThrow(CorruptionError)
  })
})

describe("an answer", () => {
  test("to an earlier start of the node counts for nothing", async () => {
    const setting = new Setting()
    setting.one.send(2, 11)
    await setting.pass()
    setting.deliver()
    setting.two.store.sync()
    const [answer] = setting.two.wire
    const restarted = new Peer(1, setting.clock, 8)
    restarted.receive(2, answer!.bytes)
    expect(restarted.answered).toEqual([])
    setting.one.receive(2, answer!.bytes)
    expect(setting.one.answered).toEqual(["2:11"])
  })

  test("refuses what the store cannot take; the rest of the batch counts", async () => {
    const setting = new Setting()
    const { store } = setting.two
    const apply = store.apply.bind(store)
    let calls = 0
    store.apply = (mutation) => {
      if (++calls === 1) throw new Error("the log has failed")
      return apply(mutation)
    }
    setting.one.send(2, 11, TWO_ROWS)
    await setting.exchange()
    expect([setting.one.answered, setting.two.lines]).toEqual([["2:11 but 0"], ["View entry not applied: Error: the log has failed"]])
  })

  test("waits for entries that the store takes later, and for the sync after them", async () => {
    const setting = new Setting()
    const { store } = setting.two
    const room = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const apply = store.apply.bind(store)
    let calls = 0
    store.apply = (mutation) => (++calls <= 2 ? room[calls - 1]!.promise.then(() => apply(mutation)) : apply(mutation))
    setting.one.send(2, 11, [...TWO_ROWS, ...TWO_ROWS])
    await setting.exchange()
    expect([store.applied.length, setting.one.answered]).toEqual([2, []])
    room[0]!.resolve()
    room[1]!.reject(new Error("no room"))
    await setting.pass()
    setting.deliver()
    expect([store.applied.length, setting.one.answered]).toEqual([3, []])
    store.sync()
    setting.deliver()
    expect(setting.one.answered).toEqual(["2:11 but 1"])
  })
})

describe("a receiver refuses, without applying", () => {
  async function expectRefused(setting: Setting): Promise<void> {
    await setting.exchange()
    expect([setting.two.store.applied.length, setting.one.answered]).toEqual([0, ["2:11 but 0"]])
  }

  test("F1: what is older than the longest life of a message", async () => {
    const setting = new Setting()
    setting.one.send(2, 11)
    await setting.pass()
    await setting.pass(VIEW_MESSAGE_MAX_AGE_MS)
    await expectRefused(setting)
  })

  test("what is just young enough it takes", async () => {
    const setting = new Setting()
    setting.one.send(2, 11)
    await setting.pass(VIEW_MESSAGE_MAX_AGE_MS - 10)
    await setting.exchange()
    expect(setting.one.answered).toEqual(["2:11"])
  })

  test("section 8: what was built before the base was truncated, also when it was sent after", async () => {
    const setting = new Setting()
    const batch = setting.one.batch(2, 11)
    for (const { metadata } of [setting.one, setting.two]) metadata.change({ kind: "truncate", table: 1000 })
    setting.one.transmit(batch)
    await expectRefused(setting)
  })

  test("section 8: what was built under an older ownership of the range", async () => {
    const setting = new Setting()
    setting.one.send(2, 11)
    await setting.pass()
    setting.two.metadata.change(nodeChange(4))
    await expectRefused(setting)
  })

  test("but not what an unrelated change has overtaken", async () => {
    const setting = new Setting()
    setting.one.send(2, 11)
    await setting.pass()
    setting.two.metadata.change({ kind: "viewBuild", view: VIEW_ID, node: 2, status: "STARTED" })
    await setting.exchange()
    expect(setting.one.answered).toEqual(["2:11"])
  })
})

test("what is for a view that is dropped is acknowledged and thrown away", async () => {
  const setting = new Setting()
  setting.one.send(2, 11)
  await setting.pass()
  setting.two.metadata.change({ kind: "schema", expected: setting.two.metadata.snapshot.schemaEpoch, schema: schemaWith([]) })
  await setting.exchange()
  expect([setting.two.store.applied, setting.one.answered]).toEqual([[], ["2:11"]])
})

test("a receiver that knows less than the sender catches up first", async () => {
  const setting = new Setting()
  setting.one.metadata.change({ kind: "viewBuild", view: VIEW_ID, node: 1, status: "SUCCESS" })
  setting.one.send(2, 11)
  await setting.pass()
  setting.deliver()
  expect(setting.two.store.applied).toEqual([])
  setting.two.metadata.change({ kind: "viewBuild", view: VIEW_ID, node: 1, status: "SUCCESS" })
  setting.two.waiting!.resolve()
  await setting.exchange()
  expect([setting.two.store.applied.length, setting.one.answered]).toEqual([1, ["2:11"]])
})

test("a receiver that cannot catch up says nothing", async () => {
  const setting = new Setting()
  setting.one.metadata.change({ kind: "viewBuild", view: VIEW_ID, node: 1, status: "SUCCESS" })
  setting.one.send(2, 11)
  await setting.pass()
  setting.deliver()
  setting.two.waiting!.reject(new Error("too late"))
  await setting.exchange()
  expect([setting.two.store.applied, setting.one.answered]).toEqual([[], []])
})

test("a batch for this node itself is applied here, and answered when it is durable", async () => {
  const setting = new Setting()
  setting.one.send(1, 11, TWO_ROWS)
  await setting.pass()
  expect([setting.one.wire, setting.one.store.applied.length, setting.one.answered]).toEqual([[], 2, []])
  setting.one.store.sync()
  expect(setting.one.answered).toEqual(["1:11"])
  setting.one.store.failure = new Error("the log has failed")
  setting.one.send(1, 12)
  await setting.pass()
  expect([setting.one.answered, setting.one.lines.length]).toEqual([["1:11", "1:12 but 0"], 1])
})

test("a batch for this node itself is refused like another's: too old, or built before a truncation", async () => {
  const setting = new Setting()
  const [before, old] = [setting.one.batch(1, 11), setting.one.batch(1, 12)]
  setting.one.metadata.change({ kind: "truncate", table: 1000 })
  setting.one.transmit(before)
  await setting.pass(VIEW_MESSAGE_MAX_AGE_MS + 1)
  setting.one.transmit(old)
  await setting.pass()
  setting.one.store.sync()
  expect([setting.one.store.applied, setting.one.answered]).toEqual([[], ["1:11 but 0", "1:12 but 0"]])
})

test("view-message.hex", async () => {
  const setting = new Setting()
  setting.one.send(2, 11, TWO_ROWS)
  await setting.pass()
  const [message] = setting.one.wire
  const apply = setting.two.store.apply.bind(setting.two.store)
  setting.two.store.apply = (mutation) => {
    if (setting.two.store.applied.length === 1) throw new Error("full")
    return apply(mutation)
  }
  setting.deliver()
  setting.two.store.sync()
  const [answer] = setting.two.wire
  const dump = `${describeMessage(message!.bytes)}\n${describeAnswer(answer!.bytes)}`
  const file = new URL("testdata/view-message.hex", import.meta.url)
  if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(file, dump)
  expect(existsSync(file), "run once with UPDATE_GOLDENS=1").toBe(true)
  expect(dump).toBe(readFileSync(file, "utf8"))
})

function describeMessage(bytes: Buffer): string {
  const reader = new AnnotatingReader(bytes)
  reader.heading("VERB.view")
  reader.skip(ENVELOPE_SIZE, "envelope")
  reader.uint8("version")
  reader.uint8("reserved")
  const entries = reader.uint16("entries")
  reader.uint32("incarnation")
  reader.uint32("epoch")
  reader.skip(8, "builtAt")
  reader.uint32("batch")
  for (let left = entries; left > 0; left--) reader.skip(reader.buffer.readUInt32BE(reader.at), "mutation")
  expect(reader.remaining).toBe(0)
  return reader.dump
}

function describeAnswer(bytes: Buffer): string {
  const reader = new AnnotatingReader(bytes)
  reader.heading("VERB.viewAck")
  reader.skip(ENVELOPE_SIZE, "envelope")
  reader.uint8("version")
  reader.uint8("reserved")
  const refused = reader.uint16("refused")
  reader.uint32("incarnation")
  reader.uint32("batch")
  for (let left = refused; left > 0; left--) reader.uint16("index")
  expect(reader.remaining).toBe(0)
  return reader.dump
}
