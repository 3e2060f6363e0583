// The outbox with a store, a network and owners that do only what the test says. Rule numbers are those of docs/views.md.
import { describe, expect, test } from "vitest"
import { ByteReader, ByteWriter } from "../../data/bytes.ts"
import type { LogPosition } from "../../data/local-store.ts"
import { mutationKey, visitMutation } from "../../data/mutation.ts"
import { decodeRow, encodeClustering } from "../../data/row-format.ts"
import { tokenOf } from "../../data/token.ts"
import { Buffer } from "../../runtime/pure.ts"
import { SimulatedClock } from "../../runtime/simulated/simulated-clock.ts"
import { encodeObligation } from "./obligation.ts"
import { type Delivery, Outbox } from "./outbox.ts"
import type { OutboxBatch } from "./outbox-batch.ts"
import { FakeStore, TestMetadata, VIEW_ID, baseRow, nodeChange, schemaWith } from "./testing.ts"

/** The view's column b. */
const B = new TestMetadata().view.columnByName.get("b")!.id

interface Sent {
  readonly target: number
  readonly batch: number
  readonly index: number
  readonly key: string
  /** The value of column b, as it was when the entry was made. */
  readonly b: string | null
}

/** Node 1's outbox; node 1 is an owner of every view key, as 2 and 3 are. */
class Setting implements Delivery {
  readonly clock = new SimulatedClock()
  readonly store = new FakeStore()
  readonly metadata = new TestMetadata()
  readonly alive = new Set([2, 3])
  sent: Sent[] = []
  /** Entries of each batch. */
  batches: number[] = []
  readonly outbox: Outbox
  #counter = 0

  constructor(maxOpen = 100_000) {
    this.outbox = new Outbox({
      self: 1, maxOpen, store: () => this.store, current: () => this.metadata.snapshot, clock: this.clock, delivery: this,
      liveness: { isAlive: (node) => this.alive.has(node) },
    })
    this.outbox.start()
  }
  transmit(batch: OutboxBatch, bytes: Buffer): void {
    this.batches.push(batch.entries)
    for (let at = 0, index = 0; at < bytes.length; at += bytes.readUInt32BE(at), index++) this.#note(batch, index, bytes.subarray(at))
  }

  /** A record that says that the view key `a` must hear of row p/q. */
  add(a: string, { selfWritten = true, p = "p", q = "q", position = this.store.append() }: { selfWritten?: boolean; p?: string; q?: string; position?: LogPosition } = {}): LogPosition {
    const out = new ByteWriter()
    const viewKey = [Buffer.from(a), Buffer.from(p), Buffer.from(q)]
    encodeObligation({ selfWritten, view: VIEW_ID, base: 1000, incarnation: 1, counter: ++this.#counter, token: tokenOf(Buffer.from(a)), key: Buffer.from(p), clustering: encodeClustering([Buffer.from(q)]), viewKey }, out)
    this.store.owed.set(position.segment, [...(this.store.owed.get(position.segment) ?? []), out.take()])
    this.outbox.add(out.take(), position)
    return position
  }
  addBuilt(a: string, done: () => void): void {
    this.outbox.addBuilt(
      { view: VIEW_ID, base: 1000, key: Buffer.from("p"), clustering: encodeClustering([Buffer.from("q")]), viewKey: [Buffer.from(a), Buffer.from("p"), Buffer.from("q")] },
      done,
    )
  }
  acknowledge(sent: readonly Sent[]): void {
    this.#answer(sent, false)
  }
  refuse(sent: readonly Sent[]): void {
    this.#answer(sent, true)
  }
  /** Answers the batches that these are in: each as a whole, or refusing these. */
  #answer(sent: readonly Sent[], refused: boolean): void {
    const batches = new Map<string, Sent[]>()
    for (const each of sent) batches.set(`${each.target}:${each.batch}`, [...(batches.get(`${each.target}:${each.batch}`) ?? []), each])
    for (const entries of batches.values()) this.outbox.answered(entries[0]!.target, entries[0]!.batch, refused ? entries.map(({ index }) => index) : [])
  }
  async pass(ms = 0): Promise<void> {
    await this.clock.run(this.clock.scheduler.nowMicros / 1000 + ms)
  }
  /** What was sent since the last call, as "target key=b". */
  take(): string[] {
    const texts = this.sent.map(({ target, key, b }) => `${target} ${key}=${b}`)
    this.sent = []
    return texts
  }

  #note({ target, number }: OutboxBatch, index: number, mutation: Buffer): void {
    visitMutation(new ByteReader(mutation), {
      update: () => undefined,
      item: (bytes, from, to) => {
        const cell = decodeRow(new ByteReader(bytes, from, to)).cells.find(({ column }) => column === B)
        this.sent.push({ target, batch: number, index, key: mutationKey(mutation).toString(), b: cell === undefined ? null : Buffer.from(cell.value!).toString() })
      },
    })
  }
}

function start(b = "1", maxOpen?: number): Setting {
  const setting = new Setting(maxOpen)
  setting.store.put("p", baseRow("q", 5, { a: "x", b }))
  return setting
}

describe("sending", () => {
  test("4.2: nothing leaves before the record is durable, then each owner is told once", async () => {
    const setting = start()
    setting.add("x")
    await setting.pass(10)
    expect(setting.take()).toEqual([])
    setting.store.sync()
    await setting.pass(10)
    expect(setting.take()).toEqual(["2 x=1", "3 x=1"])
    await setting.pass(1000)
    expect(setting.take()).toEqual([])
  })

  test("4.1: obligations with one name are one, whose payload is the row as it is when sent", async () => {
    const setting = start()
    for (let count = 0; count < 5; count++) setting.add("x")
    setting.add("y")
    expect(setting.outbox.size).toBe(2)
    setting.store.put("p", baseRow("q", 6, { a: "x", b: "2" }))
    setting.store.sync()
    await setting.pass(10)
    // The row is not at y: a mask.
    expect(setting.take().toSorted()).toEqual(["2 x=2", "2 y=null", "3 x=2", "3 y=null"])
    expect(setting.store.reads, "one row is read once for all its keys").toBe(1)
  })

  test("one whose newer record is not durable waits for it, whatever becomes of what was sent before", async () => {
    const setting = start()
    setting.add("x")
    await setting.pass()
    setting.store.sync()
    const before = setting.sent
    expect(setting.take()).toEqual(["2 x=1", "3 x=1"])
    setting.store.put("p", baseRow("q", 6, { a: "x", b: "2" }))
    setting.add("x")
    await setting.pass(10)
    setting.acknowledge(before)
    expect([setting.take(), setting.outbox.size]).toEqual([[], 1])
    setting.store.sync()
    await setting.pass(10)
    expect(setting.take()).toEqual(["2 x=2", "3 x=2"])
  })

  test("nothing leaves before everything that the row was read with is durable", async () => {
    const setting = start()
    setting.add("x")
    setting.store.sync()
    // Another write of the row, in the same turn.
    setting.store.append()
    await setting.pass(10)
    expect(setting.take()).toEqual([])
    setting.store.sync()
    expect(setting.take()).toEqual(["2 x=1", "3 x=1"])
  })

  test("what changes while a sync is waited for is told once", async () => {
    const setting = start()
    setting.add("x")
    await setting.pass()
    for (let count = 2; count <= 9; count++) {
      setting.store.put("p", baseRow("q", 4 + count, { a: "x", b: String(count) }))
      setting.add("x")
      await setting.pass()
    }
    setting.store.sync()
    await setting.pass(10)
    setting.store.sync()
    await setting.pass(10)
    expect(setting.take()).toEqual(["2 x=1", "3 x=1", "2 x=9", "3 x=9"])
  })

  test("batches are not larger than they should be", async () => {
    const setting = start()
    for (let count = 0; count < 1001; count++) {
      setting.store.put("p", baseRow(`q${count}`, 5, { a: "x" }))
      setting.add("x", { q: `q${count}` })
    }
    setting.store.sync()
    await setting.pass(10)
    expect(setting.batches.toSorted((a, b) => b - a)).toEqual([1000, 1000, 1, 1])
    const large = start("b".repeat(200_000))
    for (const a of ["x", "y", "z"]) {
      large.store.put(a, baseRow("q", 5, { a, b: "b".repeat(200_000) }))
      large.add(a, { p: a })
    }
    large.store.sync()
    await large.pass(10)
    expect(large.batches.toSorted((a, b) => b - a)).toEqual([2, 2, 1, 1])
  })

  test("this node's own entry is in the record; when it is not, it is applied like another's", async () => {
    const setting = start()
    setting.add("x", { selfWritten: false })
    setting.store.sync()
    await setting.pass(10)
    const sent = setting.sent
    expect(setting.take().toSorted()).toEqual(["1 x=1", "2 x=1", "3 x=1"])
    setting.acknowledge(sent)
    expect(setting.outbox.size).toBe(0)
  })

  test("a row of which nothing is known any more has nothing to tell", async () => {
    const setting = start()
    setting.add("x")
    setting.store.partitions.clear()
    setting.store.sync()
    await setting.pass(10)
    expect([setting.take(), setting.outbox.size, setting.store.heldSegments]).toEqual([[], 0, []])
  })

  test("a read that waits, and one that fails, do not lose it", async () => {
    const setting = start()
    setting.store.reading = Promise.reject(new Error("the disk"))
    setting.store.reading.catch(() => undefined)
    setting.add("x")
    setting.store.sync()
    await setting.pass(10)
    expect(setting.take()).toEqual([])
    setting.store.reading = Promise.resolve()
    await setting.pass(1000)
    expect(setting.take().toSorted()).toEqual(["2 x=1", "3 x=1"])
  })

  test("no more than a window is under way to one owner", async () => {
    const setting = start()
    for (let count = 0; count < 9000; count++) {
      setting.store.put("p", baseRow(`q${count}`, 5, { a: "x" }))
      setting.add("x", { q: `q${count}` })
    }
    setting.store.sync()
    await setting.pass(10)
    const first = setting.sent
    expect([first.filter(({ target }) => target === 2).length, first.length]).toEqual([8192, 16_384])
    setting.take()
    setting.acknowledge(first.filter(({ target }) => target === 2))
    await setting.pass(10)
    const second = setting.sent
    expect([second.length, second.every(({ target }) => target === 2)]).toEqual([808, true])
    setting.acknowledge([...first.filter(({ target }) => target === 3), ...second])
    await setting.pass(10)
    setting.acknowledge(setting.sent)
    expect([setting.outbox.size, setting.store.heldSegments]).toEqual([0, []])
  })
})

describe("acknowledgements", () => {
  test("of all owners end it; a repeated one does nothing", async () => {
    const setting = start()
    setting.add("x")
    setting.store.sync()
    await setting.pass(10)
    const [two, three] = setting.sent
    setting.acknowledge([two!, two!])
    expect(setting.outbox.size).toBe(1)
    setting.acknowledge([three!])
    expect(setting.outbox.size).toBe(0)
    setting.acknowledge([two!, three!])
  })

  test("4.3: of an older version do not count", async () => {
    const setting = start()
    setting.add("x")
    setting.store.sync()
    await setting.pass(10)
    const old = setting.sent
    setting.take()
    setting.add("x")
    setting.acknowledge(old)
    expect(setting.outbox.size).toBe(1)
    setting.store.sync()
    await setting.pass(10)
    setting.acknowledge(old)
    expect(setting.outbox.size).toBe(1)
    const again = setting.sent
    expect(setting.take()).toEqual(["2 x=1", "3 x=1"])
    setting.acknowledge(again)
    expect(setting.outbox.size).toBe(0)
  })

  test("that come after the entry was sent again count as well", async () => {
    const setting = start()
    setting.add("x")
    setting.store.sync()
    await setting.pass(3000)
    expect(setting.sent).toHaveLength(4)
    setting.acknowledge(setting.sent.slice(0, 2))
    expect(setting.outbox.size).toBe(0)
    setting.acknowledge(setting.sent.slice(2))
    await setting.pass(100_000)
    expect([setting.sent.length, setting.outbox.size]).toEqual([4, 0])
  })

  test("that do not come: the row as it is then is sent again, to whom is missing", async () => {
    const setting = start()
    setting.add("x")
    setting.store.sync()
    await setting.pass(10)
    setting.acknowledge(setting.sent.filter(({ target }) => target === 2))
    setting.take()
    setting.store.put("p", baseRow("q", 6, { a: "x", b: "newer" }))
    await setting.pass(3000)
    const again = setting.sent
    expect(setting.take()).toEqual(["3 x=newer"])
    setting.acknowledge(again)
    expect(setting.outbox.size).toBe(0)
  })

  test("a refused entry is made anew, but not at once", async () => {
    const setting = start()
    setting.add("x")
    setting.store.sync()
    await setting.pass(10)
    setting.refuse(setting.sent)
    setting.take()
    setting.add("y")
    setting.store.sync()
    await setting.pass(10)
    expect(setting.take().toSorted()).toEqual(["2 y=null", "3 y=null"])
    await setting.pass(500)
    expect(setting.take().toSorted()).toEqual(["2 x=1", "3 x=1"])
  })

  test("an owner that is down is told when it is up; the others need not wait for it", async () => {
    const setting = start()
    setting.alive.delete(3)
    setting.add("x")
    setting.store.sync()
    await setting.pass(10_000)
    const first = setting.sent
    expect(new Set(setting.take())).toEqual(new Set(["2 x=1"]))
    setting.acknowledge(first)
    await setting.pass(10_000)
    expect([setting.take(), setting.outbox.size, setting.store.heldSegments]).toEqual([[], 1, [1]])
    setting.alive.add(3)
    setting.outbox.nodeUp(3)
    await setting.pass(10)
    const second = setting.sent
    expect(setting.take()).toEqual(["3 x=1"])
    setting.acknowledge(second)
    expect([setting.outbox.size, setting.store.heldSegments]).toEqual([0, []])
  })
})

describe("log segments", () => {
  test("are held until all their obligations are discharged", async () => {
    const setting = start()
    setting.add("x", { position: setting.store.append(1) })
    setting.add("y", { position: setting.store.append(2) })
    expect(setting.store.heldSegments).toEqual([1, 2])
    setting.store.sync()
    await setting.pass(10)
    setting.refuse(setting.sent.filter(({ key }) => key === "y"))
    setting.take()
    expect(setting.store.heldSegments).toEqual([2])
    await setting.pass(500)
    setting.acknowledge(setting.sent)
    expect(setting.store.heldSegments).toEqual([])
  })

  test("an older record's is let go only when the newer record is durable", async () => {
    const setting = start()
    setting.alive.clear()
    setting.add("x", { position: setting.store.append(1) })
    await setting.pass()
    setting.store.sync()
    setting.add("x", { position: setting.store.append(2) })
    await setting.pass(10)
    expect(setting.store.heldSegments).toEqual([1, 2])
    setting.store.sync()
    expect(setting.store.heldSegments).toEqual([2])
  })

  test("of an obligation that ended before its record was durable are let go", async () => {
    const setting = start()
    setting.add("x", { position: setting.store.append(1) })
    await setting.pass()
    setting.store.sync()
    setting.add("x", { position: setting.store.append(2) })
    await setting.pass()
    const previous = setting.metadata.change({ kind: "schema", expected: setting.metadata.snapshot.schemaEpoch, schema: schemaWith([]) })
    setting.outbox.metadataChanged(setting.metadata.snapshot, previous)
    setting.store.sync()
    await setting.pass(10)
    expect([setting.outbox.size, setting.store.heldSegments]).toEqual([0, []])
  })

  test("F2: partitions about which something is owed are named until nothing is", async () => {
    const setting = start()
    setting.add("x")
    setting.add("y")
    expect(setting.outbox.owedOf(1000)).toEqual([tokenOf(Buffer.from("p")), tokenOf(Buffer.from("p"))])
    expect(setting.outbox.owedOf(999)).toEqual([])
    setting.store.sync()
    await setting.pass(10)
    setting.acknowledge(setting.sent)
    expect(setting.outbox.owedOf(1000)).toEqual([])
  })
})

describe("more than there is room for", () => {
  test("stays in the log, whose segments are held, and is told when there is room", async () => {
    const setting = start("1", 3)
    setting.alive.clear()
    for (const [index, a] of ["x", "u", "v", "w", "y", "z", "w"].entries()) setting.add(a, { position: setting.store.append(1 + (index >> 1)) })
    // Known: its newer record is taken.
    setting.add("x", { position: setting.store.append(4) })
    setting.store.sync()
    await setting.pass(10_000)
    expect([setting.take(), setting.outbox.owedOf(1000)]).toEqual([[], "all"])
    expect(setting.outbox.size).toBeGreaterThanOrEqual(6)
    expect(setting.store.heldSegments).toEqual([1, 2, 3, 4])
    setting.alive.add(2)
    setting.alive.add(3)
    const told = new Set<string>()
    for (let round = 0; round < 20; round++) {
      await setting.pass(300)
      const { sent } = setting
      for (const text of setting.take()) told.add(text)
      setting.acknowledge(sent)
    }
    const masks = ["u", "v", "w", "y", "z"].flatMap((key) => [`2 ${key}=null`, `3 ${key}=null`])
    expect([...told].toSorted()).toEqual(["2 x=1", "3 x=1", ...masks].toSorted())
    expect([setting.outbox.size, setting.outbox.owedOf(1000), setting.store.heldSegments]).toEqual([0, [], []])
  })

  test("an owner that is down for long takes no room, and nobody waits for it; it is told all when it is up", async () => {
    const setting = start("1", 8)
    setting.alive.delete(3)
    const told: string[] = []
    const exchange = async (rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        setting.store.sync()
        await setting.pass(300)
        const { sent } = setting
        told.push(...setting.take())
        setting.acknowledge(sent)
      }
    }
    for (let count = 0; count < 20; count++) {
      setting.store.put("p", baseRow(`q${count}`, 5, { a: `x${count}` }))
      setting.add(`x${count}`, { q: `q${count}`, position: setting.store.append(1 + (count >> 3)) })
      if (count % 4 === 3) await exchange(1)
    }
    await exchange(3)
    const keys = Array.from({ length: 20 }, (_, count) => `x${count}=null`)
    expect(told.toSorted(), "once each").toEqual(keys.map((key) => `2 ${key}`).toSorted())
    // Two in memory, a quarter; the others in the log.
    expect([setting.outbox.size, setting.outbox.kept, setting.store.heldSegments]).toEqual([20, 2, [1, 2, 3]])
    await exchange(100)
    expect(told).toHaveLength(20)
    setting.alive.add(3)
    setting.outbox.nodeUp(3)
    await exchange(20)
    expect(new Set(told)).toEqual(new Set(keys.flatMap((key) => [`2 ${key}`, `3 ${key}`])))
    expect([setting.outbox.size, setting.store.heldSegments]).toEqual([0, []])
  })

  test("two owners are down, and one comes back", async () => {
    const setting = start("1", 8)
    setting.alive.clear()
    for (let count = 0; count < 20; count++) {
      setting.store.put("p", baseRow(`q${count}`, 5, { a: `x${count}` }))
      setting.add(`x${count}`, { q: `q${count}`, position: setting.store.append(1 + (count >> 3)) })
      setting.store.sync()
      await setting.pass(10)
    }
    setting.alive.add(3)
    const told = new Set<string>()
    for (let round = 0; round < 30; round++) {
      setting.store.sync()
      await setting.pass(300)
      const { sent } = setting
      for (const text of setting.take()) told.add(text)
      setting.acknowledge(sent)
    }
    expect(told).toEqual(new Set(Array.from({ length: 20 }, (_, count) => `3 x${count}=null`)))
    expect([setting.outbox.size, setting.outbox.kept, setting.store.heldSegments]).toEqual([20, 2, [1, 2, 3]])
    // Gone for good: nobody owns for it any more.
    const previous = setting.metadata.change({ kind: "remove", node: 2 })
    setting.outbox.metadataChanged(setting.metadata.snapshot, previous)
    for (let round = 0; round < 30; round++) {
      setting.store.sync()
      await setting.pass(300)
      const { sent } = setting
      setting.take()
      setting.acknowledge(sent)
    }
    expect([setting.outbox.size, setting.store.heldSegments]).toEqual([0, []])
  })

  test("is not lost when the log cannot be read for a while", async () => {
    const setting = start("1", 1)
    setting.alive.clear()
    setting.add("x")
    setting.add("y")
    setting.store.sync()
    await setting.pass(10)
    setting.store.reading = Promise.reject(new Error("the disk"))
    setting.store.reading.catch(() => undefined)
    setting.alive.add(2)
    setting.alive.add(3)
    setting.outbox.addSegment(1)
    await setting.pass(1000)
    expect([setting.outbox.size, setting.store.heldSegments]).toEqual([3, [1]])
    setting.store.reading = null
    for (let round = 0; round < 10; round++) {
      await setting.pass(300)
      const { sent } = setting
      setting.take()
      setting.acknowledge(sent)
    }
    expect([setting.outbox.size, setting.store.heldSegments]).toEqual([0, []])
  })

  test("an older record that is read again changes nothing of a newer one", async () => {
    const setting = start("1", 1)
    setting.alive.clear()
    setting.add("y")
    setting.add("x", { position: setting.store.append(1) })
    setting.store.sync()
    await setting.pass(10)
    setting.alive.add(2)
    setting.alive.add(3)
    setting.outbox.nodeUp(2)
    await setting.pass(10)
    setting.acknowledge(setting.sent)
    setting.take()
    // There is room now, and this comes before the log is read.
    setting.alive.clear()
    setting.add("x", { position: setting.store.append(2), selfWritten: false })
    setting.store.sync()
    await setting.pass(1000)
    setting.alive.add(2)
    setting.alive.add(3)
    await setting.pass(1000)
    // Node 1 itself is told because the newer record says so.
    expect(setting.take()).toContain("1 x=1")
  })
})

describe("the metadata changes", () => {
  test("what is owed to a view that is dropped is owed no more, also while its owners are down", async () => {
    const setting = start()
    setting.alive.clear()
    setting.add("x")
    setting.store.sync()
    await setting.pass(10)
    const previous = setting.metadata.change({ kind: "schema", expected: setting.metadata.snapshot.schemaEpoch, schema: schemaWith([]) })
    setting.outbox.metadataChanged(setting.metadata.snapshot, previous)
    expect([setting.outbox.size, setting.store.heldSegments]).toEqual([0, []])
  })

  test("section 8: new owners are owed what is open, also when the old ones acknowledge first", async () => {
    const setting = start()
    setting.add("x")
    setting.store.sync()
    await setting.pass(10)
    const before = setting.sent
    setting.take()
    setting.metadata.change({ ...nodeChange(4), kind: "node" } as ReturnType<typeof nodeChange>)
    const descriptor = setting.metadata.snapshot.nodes.get(4)!
    const previous = setting.metadata.change({ kind: "node", node: { ...descriptor, state: "joining", tokens: ["-100", "-50", "50", "150", "9000"] } })
    setting.alive.add(4)
    const joining = setting.metadata.snapshot.ranges("k").every(({ placement }) => placement.pending.includes(4))
    expect(joining).toBe(true)
    setting.outbox.metadataChanged(setting.metadata.snapshot, previous)
    setting.acknowledge(before)
    expect(setting.outbox.size).toBe(1)
    await setting.pass(10)
    const after = setting.sent
    expect(setting.take()).toEqual(["4 x=1"])
    setting.acknowledge(after)
    expect(setting.outbox.size).toBe(0)
  })

  test("who owns the key no more is owed nothing", async () => {
    const setting = start()
    setting.alive.delete(3)
    setting.add("x")
    setting.store.sync()
    await setting.pass(10)
    setting.acknowledge(setting.sent)
    expect(setting.outbox.size).toBe(1)
    const previous = setting.metadata.change({ kind: "remove", node: 3 })
    setting.outbox.metadataChanged(setting.metadata.snapshot, previous)
    expect([setting.outbox.size, setting.store.heldSegments]).toEqual([0, []])
  })

  test("a change that moves nothing sends nothing again", async () => {
    const setting = start()
    setting.add("x")
    setting.store.sync()
    await setting.pass(10)
    setting.take()
    const previous = setting.metadata.change({ kind: "viewBuild", view: VIEW_ID, node: 2, status: "STARTED" })
    setting.outbox.metadataChanged(setting.metadata.snapshot, previous)
    await setting.pass(10)
    expect(setting.take()).toEqual([])
  })
})

describe("the builder's obligations", () => {
  test("need no record, hold no log, and tell when they are discharged", async () => {
    const setting = start()
    let done = 0
    setting.addBuilt("x", () => done++)
    await setting.pass(10)
    const sent = setting.sent
    expect([setting.take().toSorted(), setting.store.heldSegments]).toEqual([["1 x=1", "2 x=1", "3 x=1"], []])
    setting.acknowledge(sent)
    expect(done).toBe(1)
  })

  test("are discharged together with a write's of the same name, each builder being told", async () => {
    const setting = start()
    let done = 0
    setting.addBuilt("x", () => done++)
    setting.addBuilt("x", () => done++)
    setting.add("x")
    await setting.pass(10)
    expect(setting.take()).toEqual([])
    setting.store.sync()
    await setting.pass(10)
    setting.acknowledge(setting.sent)
    expect([done, setting.outbox.size, setting.store.heldSegments]).toEqual([2, 0, []])
  })
})

test("a stopped outbox sends nothing", async () => {
  const setting = start()
  setting.add("x")
  setting.outbox.stop()
  setting.store.sync()
  await setting.pass(5000)
  expect(setting.take()).toEqual([])
})
