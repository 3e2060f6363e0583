// What the outbox does not keep in memory.
import { describe, expect, test } from "vitest"
import { start } from "./testing-outbox.ts"
import { baseRow } from "./testing.ts"

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

  test("what a builder waits for is kept, also when a write owes it too", async () => {
    const setting = start("1", 1)
    setting.alive.clear()
    let done = 0
    setting.addBuilt("x", () => done++)
    setting.add("x")
    setting.add("y")
    setting.store.sync()
    await setting.pass(1000)
    expect(setting.outbox.kept).toBe(1)
    setting.alive.add(2)
    setting.alive.add(3)
    for (let round = 0; round < 5; round++) {
      await setting.pass(300)
      const { sent } = setting
      setting.take()
      setting.acknowledge(sent)
    }
    expect([done, setting.outbox.size]).toEqual([1, 0])
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
