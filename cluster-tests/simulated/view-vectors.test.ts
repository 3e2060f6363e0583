// The golden vectors whose views CQL allows, as statements through three nodes: every vector in several orders, each write
// through another node and at another level, on a calm network and on one that loses, repeats and reorders. Then each view,
// read at ALL through every node at every instant of the vector, is what the vector says, and what the query recomputed from
// the base says.
import { expect } from "vitest"
import { testSchema } from "../../coordinator/testing.ts"
import { CONSISTENCY, RequestError } from "../../cql/errors.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import { BASE_DESCRIPTOR } from "../../data/testdata/view-tables.ts"
import { VECTORS, type Vector, type VectorMutation } from "../../data/testdata/view-vectors.ts"
import type { Random } from "../../runtime/random.ts"
import { CALM } from "../../runtime/simulated/simulated-network.ts"
import { SimulatedCluster } from "./cluster.ts"
import { forSeeds } from "./seeds.ts"
import { readBase, readView, recompute } from "./view-oracle.ts"

const ORDERS = 3
/** All writes are made before second 0 of the vectors. */
const BEFORE_SECONDS = 300
const KEYS = "p IS NOT NULL AND q IS NOT NULL"
const SCHEMA = [
  "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
  "CREATE TABLE k.base (p text, q text, a text, b text, c text, e text, f text, u text, PRIMARY KEY (p, q))",
  `CREATE MATERIALIZED VIEW k.va AS SELECT a, p, q, b, c FROM k.base WHERE a IS NOT NULL AND ${KEYS} PRIMARY KEY (a, p, q)`,
  `CREATE MATERIALIZED VIEW k.v0 AS SELECT p, q, b FROM k.base WHERE ${KEYS} PRIMARY KEY (q, p)`,
  `CREATE MATERIALIZED VIEW k.vd AS SELECT p, q, a, b FROM k.base WHERE ${KEYS} PRIMARY KEY (q, p)`,
]
const ALLOWED = VECTORS.filter(({ view }) => ["VA", "V0", "VD"].includes(view))

interface Case {
  readonly vector: Vector
  readonly order: readonly VectorMutation[]
  readonly partition: string
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items.map((item) => ({ item, at: random.float() })).toSorted((a, b) => a.at - b.at).map(({ item }) => item)
}

function literal(value: string | number | null): string {
  return value === null ? "null" : `'${value}'`
}

/** `secondsLeft`: until second 0 of the vectors. */
function statementOf({ ts, at = 0, ttl, insert = false, set = {}, del = [], deleteRow = false }: VectorMutation, partition: string, secondsLeft: number): string {
  const where = `p = '${partition}' AND q = 'q'`
  if (deleteRow) return `DELETE FROM k.base USING TIMESTAMP ${ts} WHERE ${where}`
  const using = `USING TIMESTAMP ${ts}${ttl === undefined ? "" : ` AND TTL ${secondsLeft + at + ttl}`}`
  const values = new Map<string, string>(Object.entries(set).map(([name, value]) => [name, literal(value)]))
  if (!insert && values.size === 0) return `DELETE ${del.join(", ")} FROM k.base USING TIMESTAMP ${ts} WHERE ${where}`
  for (const name of del) values.set(name, "null")
  if (insert) return `INSERT INTO k.base (${["p", "q", ...values.keys()].join(", ")}) VALUES (${[`'${partition}'`, "'q'", ...values.values()].join(", ")}) ${using}`
  return `UPDATE k.base ${using} SET ${[...values].map(([name, value]) => `${name} = ${value}`).join(", ")} WHERE ${where}`
}

class Run {
  readonly cluster: SimulatedCluster
  readonly #random: Random
  readonly #zeroSeconds: number

  constructor(cluster: SimulatedCluster) {
    this.cluster = cluster
    this.#random = cluster.simulation.random.child("vectors")
    this.#zeroSeconds = this.#nowSeconds() + BEFORE_SECONDS
  }

  /** All cases at once; the mutations of each in its order. Every one is written until it has succeeded. */
  async write(cases: readonly Case[]): Promise<void> {
    await this.cluster.wait(Promise.all(cases.map((each) => this.#writeCase(each, this.#random.child(each.partition)))))
  }

  async #writeCase({ order, partition }: Case, random: Random): Promise<void> {
    const { clock } = this.cluster.simulation
    for (const mutation of order) {
      for (let isWritten = false; !isWritten; ) {
        await clock.sleep(random.float() * 500)
        const consistency = [CONSISTENCY.one, CONSISTENCY.quorum, CONSISTENCY.all][random.below(3)]!
        const statement = statementOf(mutation, partition, this.#zeroSeconds - this.#nowSeconds())
        const done = this.cluster.client(1 + random.below(3)).query(statement, { consistency })
        isWritten = await done.then(
          () => true,
          (error: unknown) => {
            if (error instanceof RequestError) return false
            throw error
          },
        )
      }
    }
  }

  async check(cases: readonly Case[]): Promise<void> {
    const { cluster } = this
    const base = await readBase(cluster, 1, cluster.table("k", "base"), this.#nowSeconds(), CONSISTENCY.all)
    await cluster.sleep(5000)
    expect(this.#nowSeconds()).toBeLessThan(this.#zeroSeconds)
    for (const node of [1, 2, 3]) {
      for (const view of ["VA", "V0", "VD"]) {
        const own = cases.filter(({ vector }) => vector.view === view)
        const instants = new Set(own.flatMap(({ vector }) => vector.expected.map(([second]) => second)))
        for (const second of instants) await this.#checkView(node, own, base, second)
      }
    }
  }

  async #checkView(node: number, cases: readonly Case[], base: Awaited<ReturnType<typeof readBase>>, second: number): Promise<void> {
    const { definition, view } = cases[0]!.vector
    const now = this.#zeroSeconds + second
    const shown = await readView(this.cluster, node, this.cluster.table("k", view.toLowerCase()), definition, now, CONSISTENCY.all)
    expect(shown, `${view} through node ${node} at second ${second}`).toEqual(recompute(definition, base, now))
    for (const { vector, partition, order } of cases) {
      const expected = vector.expected.find(([instant]) => instant === second)
      if (expected === undefined) continue
      const lines = Object.entries(expected[1]).map(([key, values]) => {
        const viewKey = definition.keys.length > 0 ? [...(JSON.parse(key) as string[]), partition, "q"] : ["q", partition]
        return `${viewKey.join("/")} | ${definition.select.map((name) => `${name}=${values[name] ?? "null"}`).join(" ")}`
      })
      const own = shown.filter((line) => line.split(" | ")[0]!.split("/").includes(partition))
      expect(own, `${vector.name}, in the order ${JSON.stringify(order)}, through node ${node} at second ${second}`).toEqual(lines)
    }
  }

  #nowSeconds(): number {
    return Math.floor(this.cluster.simulation.clock.nowMicros() / 1e6)
  }
}

forSeeds("golden vectors as statements through three nodes", "cluster-tests/simulated/view-vectors.test.ts", 2, async (seed) => {
  const cluster = await SimulatedCluster.start({ seed, nodes: 3, schema: testSchema(3) })
  for (const statement of SCHEMA) await cluster.wait(cluster.client(1).query(statement))
  // The oracle reads columns by the ids of its own table: they must be the ones that CREATE TABLE gives.
  const expected = resolveTable(BASE_DESCRIPTOR).columns.filter(({ name }) => name !== "m")
  expect(cluster.table("k", "base").columns.map(({ name, id }) => [name, id])).toEqual(expected.map(({ name, id }) => [name, id]))
  const random = cluster.simulation.random.child("orders")
  const cases = ALLOWED.flatMap((vector, index) =>
    Array.from({ length: ORDERS }, (_, order): Case => ({ vector, order: order === 0 ? vector.mutations : shuffled(vector.mutations, random), partition: `v${index}-${order}` })),
  )
  const run = new Run(cluster)
  if (seed % 2 === 0) cluster.simulation.hub.conditions = { delayMinMs: 0.1, delayMaxMs: 200, dropRate: 0.05, duplicateRate: 0.1 }
  await run.write(cases)
  cluster.simulation.hub.conditions = CALM
  await cluster.sleep(30_000)
  await run.check(cases)
})
