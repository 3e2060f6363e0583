// The outbox with a store, a network and owners that do only what the test says. Rule numbers are those of docs/views.md.
import { describe, expect, test } from "vitest"
import { tokenOf } from "../../data/token.ts"
import { Buffer } from "../../runtime/pure.ts"
import { start } from "./testing-outbox.ts"
import { VIEW_ID, baseRow, nodeChange, schemaWith } from "./testing.ts"

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
