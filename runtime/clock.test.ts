// One suite for the real and the simulated clock, then what only simulated time can do.
import { afterEach, describe, expect, it } from "vitest"
import type { Clock } from "./clock.ts"
import { RealClock } from "./real/real-clock.ts"
import { SIMULATION_START_MICROS, SimulationStuck } from "./simulated/scheduler.ts"
import { SimulatedClock } from "./simulated/simulated-clock.ts"

interface Subject {
  readonly clock: Clock
  /** Waits until the condition holds. */
  until(condition: () => boolean): Promise<void>
}

function real(): Subject {
  return {
    clock: new RealClock(),
    async until(condition) {
      while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
    },
  }
}

function simulated(): Subject {
  const clock = new SimulatedClock()
  return { clock, until: (condition) => clock.run(condition) }
}

describe.each([["real", real], ["simulated", simulated]] as const)("%s clock", (_name, create) => {
  it("tells exact integer microseconds of wall time", () => {
    const { clock } = create()
    const now = clock.nowMicros()
    expect(Number.isSafeInteger(now)).toBe(true)
    expect(now).toBeGreaterThan(Date.UTC(2024, 0) * 1000)
    expect(now).toBeLessThan(Date.UTC(2100, 0) * 1000)
  })

  it("never goes back", async () => {
    const { clock, until } = create()
    let previous = clock.monotonicMs()
    for (let i = 0; i < 50; i++) {
      let done = false
      clock.after(0.1, () => {
        done = true
      })
      await until(() => done)
      expect(clock.monotonicMs()).toBeGreaterThanOrEqual(previous)
      previous = clock.monotonicMs()
    }
  })

  it("calls back once, and not before the time", async () => {
    const { clock, until } = create()
    const start = clock.monotonicMs()
    const calledAfterMs: number[] = []
    // Some of the delay is used up before the timer is set within the turn: it counts from the call all the same.
    while (clock instanceof RealClock && clock.monotonicMs() < start + 5) { /* computing */ }
    const set = clock.monotonicMs()
    for (const delayMs of [0, 1, 7.5, 20]) clock.after(delayMs, () => calledAfterMs.push(clock.monotonicMs() - set - delayMs))
    await until(() => calledAfterMs.length === 4)
    for (const lateMs of calledAfterMs) expect(lateMs).toBeGreaterThanOrEqual(0)
  })

  it("calls back in the order of the times", async () => {
    const { clock, until } = create()
    const order: number[] = []
    for (const delayMs of [30, 10, 20]) clock.after(delayMs, () => order.push(delayMs))
    await until(() => order.length === 3)
    expect(order).toEqual([10, 20, 30])
  })

  it("does not call what was cancelled, and takes a second cancel", async () => {
    const { clock, until } = create()
    const called: string[] = []
    const timer = clock.after(1, () => called.push("cancelled"))
    const done = clock.after(5, () => called.push("kept"))
    clock.cancel(timer)
    clock.cancel(timer)
    await until(() => called.length > 0)
    clock.cancel(done)
    expect(called).toEqual(["kept"])
  })

  it("runs the end of a turn after the promise jobs and before any timer", async () => {
    const { clock, until } = create()
    const order: string[] = []
    clock.after(0, () => order.push("timer"))
    clock.atTurnEnd(() => order.push("turn end 1"))
    clock.atTurnEnd(() => order.push("turn end 2"))
    void Promise.resolve().then(() => order.push("job")).then(() => order.push("job of a job"))
    order.push("now")
    await until(() => order.length === 6)
    // A real timer may be due before the check phase; everything else is in order.
    expect(order.filter((what) => what !== "timer")).toEqual(["now", "job", "job of a job", "turn end 1", "turn end 2"])
  })

  it("calls what is asked for at the end of a turn within one, in a later one", async () => {
    const { clock, until } = create()
    const order: string[] = []
    clock.atTurnEnd(() => {
      clock.atTurnEnd(() => order.push("later"))
      order.push("first")
    })
    await until(() => order.length === 2)
    expect(order).toEqual(["first", "later"])
  })

  it("ends one turn after the other, calling each callback once", async () => {
    const { clock, until } = create()
    const order: number[] = []
    for (const turn of [1, 2, 3]) {
      clock.atTurnEnd(() => order.push(turn))
      await until(() => order.length >= turn)
    }
    expect(order).toEqual([1, 2, 3])
  })

  it("sleeps", async () => {
    const { clock, until } = create()
    const start = clock.monotonicMs()
    let wokeMs = -1
    void clock.sleep(3).then(() => {
      wokeMs = clock.monotonicMs()
    })
    await until(() => wokeMs >= 0)
    expect(wokeMs - start).toBeGreaterThanOrEqual(3)
  })
})

describe("real clock", () => {
  const realNow = Date.now
  afterEach(() => {
    Date.now = realNow
  })

  it("follows the wall clock when somebody sets it", () => {
    const clock = new RealClock()
    const before = clock.nowMicros()
    Date.now = () => realNow() + 3_600_000
    expect(clock.nowMicros() - before).toBeGreaterThan(3_599_000_000)
    Date.now = realNow
    expect(clock.nowMicros() - before).toBeLessThan(60_000_000)
  })

  it("takes a delay longer than setTimeout does", async () => {
    const clock = new RealClock()
    let called = false
    const timer = clock.after(40 * 86_400_000, () => {
      called = true
    })
    // setTimeout would take such a delay for 1 ms.
    await clock.sleep(10)
    clock.cancel(timer)
    expect(called).toBe(false)
  })
})

describe("simulated clock", () => {
  it("starts at a fixed time and stands still while there is something to compute", async () => {
    const clock = new SimulatedClock()
    expect(clock.nowMicros()).toBe(SIMULATION_START_MICROS)
    const seen: number[] = []
    clock.after(10, async () => {
      for (let i = 0; i < 1000; i++) await Promise.resolve()
      seen.push(clock.monotonicMs())
    })
    clock.after(10.001, () => seen.push(-1))
    await clock.run(20)
    expect(seen).toEqual([10, -1])
    expect(clock.monotonicMs()).toBe(20)
  })

  it("ends the turn once for all events of one microsecond", async () => {
    const clock = new SimulatedClock()
    const order: string[] = []
    for (const name of ["a", "b"]) {
      clock.after(1, () => {
        order.push(name)
        clock.atTurnEnd(() => order.push(`end ${name}`))
      })
    }
    await clock.run(2)
    expect(order).toEqual(["a", "b", "end a", "end b"])
  })

  it("fires nothing of a killed process", async () => {
    const clock = new SimulatedClock()
    const other = new SimulatedClock({ scheduler: clock.scheduler })
    const called: string[] = []
    clock.after(2, () => called.push("dead"))
    other.after(1, () => clock.kill())
    other.after(3, () => called.push("alive"))
    await other.run(5)
    expect(called).toEqual(["alive"])
  })

  it("says that a condition can no longer come true", async () => {
    const clock = new SimulatedClock()
    clock.after(5, () => {})
    await expect(clock.run(() => false)).rejects.toThrow(SimulationStuck)
    const again = (): void => void clock.after(0, again)
    again()
    await expect(clock.run(() => false, { maxEvents: 1000 })).rejects.toThrow("too many events")
    await expect(clock.run(() => false, { maxMs: 0.5, maxEvents: 100_000 })).rejects.toThrow("the time is up")
  })

  it("tells its own wall time", () => {
    const clock = new SimulatedClock({ skewMicros: -250 })
    expect(clock.nowMicros()).toBe(SIMULATION_START_MICROS - 250)
    expect(clock.monotonicMs()).toBe(0)
  })
})
