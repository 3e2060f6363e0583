import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { CONSISTENCY, WriteTimeoutError } from "../../cql/errors.ts"
import { CorruptionError } from "../../data/bytes.ts"
import { Buffer } from "../../runtime/pure.ts"
import { SimulatedRandom } from "../../runtime/simulated/simulated-random.ts"
import { type SimulatedProcess, type Simulation, createSimulation } from "../../runtime/simulated/simulation.ts"
import type { Change, ClusterMetadata, Snapshot } from "../cluster/cluster-metadata.ts"
import { decodeHint, decodeHintHeader, encodeHint, encodeHintHeader } from "./hint-file.ts"
import { Hints, type HintsOptions } from "./hints.ts"
import { applyChange, buildSnapshot, emptyState } from "../cluster/snapshot.ts"
import { TABLE_ID, deleteRow, insert, testSchema } from "../testing.ts"

const DIRECTORY = "hints"

function metadata(): { readonly source: ClusterMetadata; change(change: Change): void } {
  let state = applyChange(emptyState("c"), { kind: "schema", expected: 0, schema: testSchema(3) })
  for (const node of [1, 2, 3]) {
    state = applyChange(state, {
      kind: "node",
      node: {
        node, hostId: "", state: "normal", dataCenter: "", rack: "", listenAddress: "", listenPort: 1, nativeAddress: "", nativePort: 1, releaseVersion: "", tokens: [String(node)],
        epoch: 0,
      },
    })
  }
  let snapshot: Snapshot = buildSnapshot(state, [], null)
  return {
    source: { current: () => snapshot } as unknown as ClusterMetadata,
    change(change) {
      state = applyChange(state, change)
      snapshot = buildSnapshot(state, [], snapshot)
    },
  }
}

/** Hints of node 1, a peer that takes what it is given while `isUp` and `takes`, and what it got. */
class Setting {
  readonly simulation: Simulation
  readonly cluster = metadata()
  readonly delivered: string[] = []
  readonly lines: string[] = []
  isUp = false
  takes = true
  process: SimulatedProcess
  hints: Hints

  constructor(part: Partial<HintsOptions> = {}) {
    this.simulation = createSimulation(1)
    this.process = this.simulation.start(1)
    this.hints = this.open(part)
  }

  open(part: Partial<HintsOptions> = {}): Hints {
    const { clock, disk } = this.process
    this.hints = new Hints({
      disk, directory: DIRECTORY, clock, metadata: this.cluster.source, liveness: { isAlive: () => this.isUp }, log: (line) => this.lines.push(line), ...part,
    })
    this.hints.start((keyspace, mutation, to, completion) => {
      const given = Buffer.from(mutation)
      clock.after(1, () => {
        if (!this.takes) {
          completion.done(new WriteTimeoutError(CONSISTENCY.one, 0, 1, "SIMPLE"))
          return
        }
        this.delivered.push(`${keyspace} ${to} ${given.toString("hex")}`)
        completion.done(null)
      })
    })
    return this.hints
  }

  restart(part: Partial<HintsOptions> = {}): void {
    this.simulation.kill(1)
    this.process = this.simulation.start(1)
    this.open(part)
  }

  async pass(ms: number): Promise<void> {
    await this.simulation.run(this.simulation.scheduler.nowMicros / 1000 + ms)
  }
  add(mutation: Buffer, node = 2): boolean {
    return this.hints.add(node, mutation, this.cluster.source.current().epoch)
  }
  files(): string[] {
    return this.process.disk.list(DIRECTORY)
  }
}

function text(mutation: Buffer, node = 2): string {
  return `ks ${node} ${mutation.toString("hex")}`
}

describe("hints", () => {
  test("wait for the peer, reach it in order, and leave no file behind", async () => {
    const setting = new Setting()
    const mutations = Array.from({ length: 200 }, (_, index) => insert("k", index, "v", index + 1))
    for (const mutation of mutations) expect(setting.add(mutation)).toBe(true)
    await setting.pass(5000)
    expect(setting.delivered).toEqual([])
    expect(setting.files()).toEqual(["2-00000001.hints"])
    expect(setting.hints.pendingBytes(2)).toBeGreaterThan(0)
    setting.isUp = true
    await setting.pass(5000)
    expect(setting.delivered).toEqual(mutations.map((mutation) => text(mutation)))
    expect([setting.files(), setting.hints.pendingBytes(2)]).toEqual([[], 0])
  })

  test("of several peers are kept apart", async () => {
    const setting = new Setting()
    setting.add(insert("k", 1, "for two", 1), 2)
    setting.add(insert("k", 2, "for three", 1), 3)
    setting.isUp = true
    await setting.pass(2000)
    expect(setting.delivered.toSorted()).toEqual([text(insert("k", 1, "for two", 1), 2), text(insert("k", 2, "for three", 1), 3)].toSorted())
  })

  test("survive a kill of the process", async () => {
    const setting = new Setting()
    setting.add(insert("k", 1, "v", 1))
    await setting.pass(10)
    setting.restart()
    setting.isUp = true
    await setting.pass(2000)
    expect(setting.delivered).toEqual([text(insert("k", 1, "v", 1))])
  })

  test("survive a loss of power once they are stored, where acknowledgements wait for the disk", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const setting = new Setting({ syncsBeforeAck: true })
      let stored = 0
      for (let round = 1; round <= 3; round++) {
        setting.add(insert("k", round, "v", 1))
        setting.add(insert("k", round, "w", 1), 3)
        void Promise.resolve(setting.hints.store()).then((areKept) => {
          expect(areKept).toBe(true)
          stored++
        })
        expect(stored).toBe(round - 1)
        await setting.pass(100)
        expect(stored).toBe(round)
      }
      setting.process.disk.powerLoss(new SimulatedRandom(seed))
      setting.restart()
      setting.isUp = true
      await setting.pass(2000)
      expect(setting.delivered.length).toBe(6)
    }
  })

  test("that the disk does not take are not said to be stored", async () => {
    for (const syncsBeforeAck of [false, true]) {
      const setting = new Setting({ syncsBeforeAck })
      for (const kind of syncsBeforeAck ? (["write", "sync", "syncDirectory"] as const) : (["write"] as const)) {
        setting.process.disk.failNext(kind, "EIO")
        setting.add(insert("k", 1, kind, 1))
        let areKept: boolean | null = null
        const stored = setting.hints.store()
        void Promise.resolve(stored).then((kept) => {
          areKept = kept
        })
        await setting.pass(100)
        expect(areKept, kind).toBe(false)
      }
      setting.add(insert("k", 1, "good", 1))
      const stored = setting.hints.store()
      await setting.pass(100)
      expect(await stored).toBe(true)
    }
  })

  test("that the peer does not take are tried again", async () => {
    const setting = new Setting()
    setting.add(insert("k", 1, "v", 1))
    setting.isUp = true
    setting.takes = false
    await setting.pass(5000)
    expect(setting.files()).toHaveLength(1)
    setting.takes = true
    await setting.pass(2000)
    expect([setting.delivered.length, setting.files().length]).toEqual([1, 0])
  })

  test("that come while older ones are delivered are delivered too", async () => {
    const setting = new Setting()
    setting.isUp = true
    for (let index = 0; index < 100; index++) {
      setting.add(insert("k", index, "v", 1))
      await setting.pass(30)
    }
    await setting.pass(5000)
    expect(setting.delivered).toHaveLength(100)
  })

  test("are refused over the size bound and after the window", async () => {
    const small = new Setting({ maxBytesPerPeer: 300 })
    expect([small.add(insert("k", 1, "v", 1)), small.add(insert("k", 2, "v".repeat(300), 1))]).toEqual([true, false])
    const setting = new Setting({ maxWindowMs: 60_000 })
    expect(setting.add(insert("k", 1, "v", 1))).toBe(true)
    await setting.pass(61_000)
    expect(setting.add(insert("k", 2, "v", 1))).toBe(false)
    expect(setting.add(insert("k", 2, "v", 1), 3)).toBe(true)
  })

  test("of a table truncated since are void; later ones are not", async () => {
    const setting = new Setting()
    setting.add(insert("k", 1, "before", 1))
    await setting.pass(10)
    setting.cluster.change({ kind: "truncate", table: TABLE_ID })
    setting.add(insert("k", 2, "after", 2))
    setting.isUp = true
    await setting.pass(2000)
    expect(setting.delivered).toEqual([text(insert("k", 2, "after", 2))])
    expect(setting.files()).toEqual([])
  })

  test("of a table dropped since are void", async () => {
    const setting = new Setting()
    setting.add(insert("k", 1, "v", 1))
    setting.cluster.change({ kind: "schema", expected: 1, schema: { keyspaces: [], nextTableId: TABLE_ID + 1 } })
    setting.isUp = true
    await setting.pass(2000)
    expect([setting.delivered, setting.files()]).toEqual([[], []])
  })

  test("older than gc_grace_seconds are void: the tombstone that beats them may be gone", async () => {
    const setting = new Setting()
    setting.cluster.change({ kind: "schema", expected: 1, schema: testSchema(3, { gcGraceSeconds: 60 }) })
    setting.add(deleteRow("k", 1, 1, 1))
    await setting.pass(61_000)
    setting.isUp = true
    await setting.pass(2000)
    expect([setting.delivered, setting.files()]).toEqual([[], []])
  })

  test("for a node that left the cluster are forgotten", async () => {
    const setting = new Setting()
    setting.add(insert("k", 1, "v", 1))
    await setting.pass(10)
    setting.cluster.change({ kind: "remove", node: 2 })
    await setting.pass(2000)
    expect(setting.files()).toEqual([])
  })

  test("a torn tail ends a file; damage is reported and left aside", async () => {
    const setting = new Setting()
    setting.add(insert("k", 1, "first", 1))
    setting.add(insert("k", 2, "second", 1))
    await setting.pass(10)
    const path = `${DIRECTORY}/2-00000001.hints`
    const whole = contents(setting, path)
    setting.simulation.kill(1)
    setting.process = setting.simulation.start(1)
    setting.process.disk.appendFile(path, { truncateTo: whole.length - 3 }).close()
    setting.open()
    setting.isUp = true
    await setting.pass(2000)
    expect([setting.delivered, setting.files(), setting.lines]).toEqual([[text(insert("k", 1, "first", 1))], [], []])

    const file = setting.process.disk.appendFile(path)
    whole[whole.length - 1] = (whole[whole.length - 1] as number) ^ 1
    file.write(whole)
    file.close()
    setting.restart()
    await setting.pass(2000)
    expect(setting.delivered).toHaveLength(2)
    expect(setting.files()).toEqual(["2-00000001.hints.damaged"])
    expect(setting.lines[0]).toContain(path)
  })
})

function contents(setting: Setting, path: string): Buffer {
  const file = setting.process.disk.readFile(path)
  const bytes = Buffer.alloc(file.size)
  file.readNow(bytes, 0)
  file.close()
  return bytes
}

describe("the hint file", () => {
  const mutation = insert("k", 1, "v", 5)
  const file = Buffer.concat([encodeHintHeader({ node: 2, createdAtMicros: 1_735_689_600_000_000 }), encodeHint(mutation, 7, 1_735_689_600)])

  test("is laid out as its golden dump says", () => {
    const golden = readFileSync(new URL("testdata/hint-file.hex", import.meta.url), "utf8")
    const bytes = golden.split("\n").map((line) => line.replace(/#.*/, "").replaceAll(/\s/g, "")).join("")
    expect(file.toString("hex")).toBe(bytes)
  })
  test("is read back", () => {
    expect(decodeHintHeader(file)).toEqual({ node: 2, createdAtMicros: 1_735_689_600_000_000 })
    expect(decodeHint(file, 24)).toEqual({ epoch: 7, writtenAtSeconds: 1_735_689_600, mutation, end: file.length })
    expect(decodeHint(file, file.length)).toBe(null)
  })
  test("any flipped bit is noticed", () => {
    for (let bit = 0; bit < file.length * 8; bit++) {
      const damaged = Buffer.from(file)
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
      const read = (): unknown => [decodeHintHeader(damaged), decodeHint(damaged, 24)]
      // A larger record size looks like a torn tail; anything else is damage, but for the reserved bytes' CRC.
      try {
        expect((read() as unknown[])[1]).toBe(null)
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptionError)
      }
    }
  })
})
