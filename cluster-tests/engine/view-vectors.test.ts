// The 65 golden vectors of views through the real storage: every order of mutations (sampled where there are more than 120),
// with entries in the write's own record and with obligations delivered late, in memory, after flushes and compactions, and
// after a restart in any place. The shapes that CQL refuses so far (filters, several new key columns) are among them.
import { describe, expect, test } from "vitest"
import { encodeClustering } from "../../data/row-format.ts"
import { VECTORS, type Vector, vectorRow } from "../../data/testdata/view-vectors.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { Random } from "../../runtime/random.ts"
import { SimulatedRandom } from "../../runtime/simulated/simulated-random.ts"
import { showEntries } from "../simulated/view-oracle.ts"
import { ViewEngine } from "./view-engine.ts"

const CLUSTERING = encodeClustering([Buffer.from("q")])
const MAX_ORDERS = 120

interface Mode {
  readonly name: string
  /** Entries are in the records of the writes; else obligations are delivered. */
  readonly own: boolean
  /** What happens to the store now and then between two rounds of mutations. */
  readonly disturb: (engine: ViewEngine, random: Random) => Promise<void>
}

async function nothing(): Promise<void> {}
async function flushes(engine: ViewEngine, random: Random): Promise<void> {
  if (random.below(3) > 0) await engine.flush()
}
async function restarts(engine: ViewEngine, random: Random): Promise<void> {
  if (random.below(3) === 0) await engine.flush()
  if (random.below(2) === 0) await engine.restart()
  if (random.below(4) === 0) {
    await engine.durable()
    await engine.powerLoss()
  }
}

const MODES: readonly Mode[] = [
  { name: "own entries, in memory", own: true, disturb: nothing },
  { name: "own entries, with flushes", own: true, disturb: flushes },
  { name: "own entries, with flushes and restarts", own: true, disturb: restarts },
  { name: "obligations, in memory", own: false, disturb: nothing },
  { name: "obligations, with flushes and restarts", own: false, disturb: restarts },
]

function orders(count: number, random: Random): number[][] {
  const all: number[][] = []
  const extend = (order: readonly number[]): void => {
    if (order.length === count) all.push([...order])
    else for (let next = 0; next < count; next++) if (!order.includes(next)) extend([...order, next])
  }
  if (count <= 5) extend([])
  else for (let sample = 0; sample < MAX_ORDERS; sample++) all.push(shuffled(Array.from({ length: count }, (_, index) => index), random))
  return all
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items.map((item) => ({ item, at: random.float() })).toSorted((a, b) => a.at - b.at).map(({ item }) => item)
}

/** The expectation as the oracle prints what readers see. */
function expectedOf({ definition }: Vector, shown: Vector["expected"][number][1], partition: string): string[] {
  return Object.entries(shown)
    .map(([key, values]) => {
      const viewKey = definition.keys.length > 0 ? [...(JSON.parse(key) as string[]), partition, "q"] : ["q", partition]
      return `${viewKey.join("/")} | ${definition.select.map((name) => `${name}=${values[name] ?? "null"}`).join(" ")}`
    })
    .toSorted()
}

async function run(vector: Vector, mode: Mode): Promise<void> {
  const random = new SimulatedRandom(`${vector.name} ${mode.name}`)
  const engine = await ViewEngine.open(vector.name, vector.definition, mode.own)
  const all = orders(vector.mutations.length, random)
  for (let step = 0; step < vector.mutations.length; step++) {
    all.forEach((order, index) => engine.apply(`p${index}`, [vectorRow(vector.mutations[order[step]!]!, CLUSTERING)]))
    if (!mode.own && random.below(2) === 0) {
      // Some are told now, some twice, the others later.
      const [now, later] = [engine.obligations.filter(() => random.below(3) > 0), engine.obligations.filter(() => random.below(2) > 0)]
      for (const obligation of shuffled(now, random)) engine.deliver(obligation)
      engine.obligations = [...later, ...engine.obligations.filter((each) => !now.includes(each) && !later.includes(each))]
    }
    await mode.disturb(engine, random)
  }
  engine.deliverAll(() => random.float())
  await mode.disturb(engine, random)
  engine.deliverAll()
  check(engine, vector, all)
}

function check(engine: ViewEngine, vector: Vector, all: readonly (readonly number[])[]): void {
  for (const [now, shown] of vector.expected) {
    const found = showEntries(engine.view, vector.definition, engine.entries(now), now)
    const wanted = all.flatMap((_, index) => expectedOf(vector, shown, `p${index}`)).toSorted()
    if (JSON.stringify(found) === JSON.stringify(wanted)) continue
    // Said for the first order that went wrong.
    all.forEach((order, index) => {
      const isOwn = (line: string): boolean => line.split(" | ")[0]!.split("/").includes(`p${index}`)
      expect(found.filter(isOwn), `order ${order.join()} at ${now}`).toEqual(wanted.filter(isOwn))
    })
    expect(found).toEqual(wanted)
  }
}

describe.each(MODES)("$name", (mode) => {
  test.each(VECTORS.map((vector, index) => ({ title: `${index + 1}. ${vector.name}`, vector })))("$title", ({ vector }) => run(vector, mode))
})
