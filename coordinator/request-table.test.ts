import { describe, expect, test } from "vitest"
import { createSimulation } from "../runtime/simulated/simulation.ts"
import { type InFlight, RequestTable } from "./request-table.ts"

class Request implements InFlight {
  requestId = 0
  expired = 0
  expire(): void {
    this.expired++
  }
}

function setUp(): { simulation: ReturnType<typeof createSimulation>; table: RequestTable } {
  const simulation = createSimulation(1)
  return { simulation, table: new RequestTable(simulation.clock) }
}

describe("requests in flight", () => {
  test("are found by number until they are removed, and numbers are not used again", () => {
    const { table } = setUp()
    const seen = new Set<number>()
    for (let round = 0; round < 5000; round++) {
      const request = new Request()
      const id = table.add(request, 1000)
      expect(table.get(id)).toBe(request)
      expect(seen.has(id)).toBe(false)
      seen.add(id)
      table.remove(request)
      expect(table.get(id)).toBe(null)
    }
  })

  test("many at once are kept apart, and the table grows", () => {
    const { table } = setUp()
    const requests = Array.from({ length: 5000 }, () => new Request())
    const ids = requests.map((request) => table.add(request, 1000))
    expect(table.size).toBe(5000)
    ids.forEach((id, index) => expect(table.get(id)).toBe(requests[index]))
    // Every other one goes; new ones fill slots without disturbing the rest.
    requests.forEach((request, index) => index % 2 === 0 && table.remove(request))
    for (let index = 0; index < 2000; index++) table.add(new Request(), 1000)
    ids.forEach((id, index) => expect(table.get(id)).toBe(index % 2 === 0 ? null : requests[index]))
  })

  test("expire at their deadline and no earlier, each timeout in its own order", async () => {
    const { simulation, table } = setUp()
    const [late, early] = [new Request(), new Request()]
    table.add(late, 5000)
    table.add(early, 2000)
    await simulation.run(1999)
    expect([late.expired, early.expired]).toEqual([0, 0])
    await simulation.run(2001)
    expect([late.expired, early.expired]).toEqual([0, 1])
    await simulation.run(5001)
    expect([late.expired, early.expired, table.size]).toEqual([1, 1, 0])
  })

  test("that are done do not expire, and the timer goes on to those that are not", async () => {
    const { simulation, table } = setUp()
    const [done, open] = [new Request(), new Request()]
    table.add(done, 2000)
    await simulation.run(500)
    table.add(open, 2000)
    table.remove(done)
    await simulation.run(2400)
    expect([done.expired, open.expired]).toEqual([0, 0])
    await simulation.run(2501)
    expect([done.expired, open.expired]).toEqual([0, 1])
  })

  test("one that expires may start another", async () => {
    const { simulation, table } = setUp()
    const second = new Request()
    const first: InFlight = { requestId: 0, expire: () => void table.add(second, 1000) }
    table.add(first, 1000)
    await simulation.run(2001)
    expect(second.expired).toBe(1)
  })

  test("nothing expires after stop", async () => {
    const { simulation, table } = setUp()
    const request = new Request()
    table.add(request, 1000)
    table.stop()
    await simulation.run(5000)
    expect(request.expired).toBe(0)
  })
})
