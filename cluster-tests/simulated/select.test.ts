// SELECT through the coordinator and the engines of three nodes: whatever was deleted or never there, pages of any size
// give what no paging gives, and limits count what is shown.
import { expect } from "vitest"
import { CONSISTENCY, type Consistency } from "../../cql/errors.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { SimulatedCluster } from "./cluster.ts"
import { forSeeds } from "./seeds.ts"
import type { ClientOptions, SimulatedClient } from "./simulated-client.ts"
import { testSchema } from "../../coordinator/testing.ts"

const STATEMENTS = [
  "SELECT * FROM app.t",
  "SELECT c, s FROM app.t WHERE k = 1",
  "SELECT c, v FROM app.t WHERE k = 1 AND c > 3 AND c <= 9 ORDER BY c DESC",
  "SELECT k, c FROM app.t WHERE k IN (3, 0, 2) AND c < 8",
  "SELECT DISTINCT k, s FROM app.t",
  "SELECT k, c FROM app.t PER PARTITION LIMIT 2",
  "SELECT k, c FROM app.t LIMIT 7",
  "SELECT k, c FROM app.t WHERE v > 5 ALLOW FILTERING",
  "SELECT k, count(*), max(c) FROM app.t GROUP BY k",
]

forSeeds("pages of any size give what no paging gives", "cluster-tests/simulated/select.test.ts", 3, async (seed) => {
  const cluster = await SimulatedCluster.start({ seed, nodes: 3, schema: testSchema(3) })
  const random = cluster.simulation.random.child("statements")
  const clients = [1, 2, 3].map((node) => cluster.client(node))
  const run = (text: string, options: ClientOptions = {}): ReturnType<SimulatedClient["query"]> => cluster.wait((clients[random.below(3)] as SimulatedClient).query(text, options))
  await run("CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
  await run("CREATE TABLE app.t (k int, c int, s int STATIC, v int, w text, PRIMARY KEY (k, c))")
  for (let step = 0; step < 150; step++) await run(randomWrite((bound) => random.below(bound)), { consistency: CONSISTENCY.all })

  const page = async (text: string, pageSize: number, pagingState: Buffer | null, consistency: Consistency): Promise<{ rows: string[]; next: Buffer | null }> => {
    const { rows, pagingState: next } = await run(text, { pageSize, pagingState, consistency })
    return { rows: rows.map((row) => row.map((value) => value?.toString("hex") ?? "null").join(" ")), next }
  }
  for (const text of STATEMENTS) {
    for (const consistency of [CONSISTENCY.one, CONSISTENCY.quorum, CONSISTENCY.all]) {
      const whole = (await page(text, 0, null, consistency)).rows
      const pageSize = 1 + random.below(6)
      const paged: string[] = []
      let state: Buffer | null = null
      do {
        const { rows, next }: { rows: string[]; next: Buffer | null } = await page(text, pageSize, state, consistency)
        expect(rows.length).toBeLessThanOrEqual(pageSize)
        paged.push(...rows)
        state = next
      } while (state !== null)
      expect(paged, `${text}, pages of ${pageSize}`).toEqual(whole)
    }
  }
})

function randomWrite(below: (bound: number) => number): string {
  const k = below(5)
  const c = below(12)
  switch (below(8)) {
    case 0:
      return `DELETE FROM app.t WHERE k = ${k} AND c = ${c}`
    case 1:
      return `DELETE FROM app.t WHERE k = ${k} AND c >= ${c} AND c < ${c + below(4)}`
    case 2:
      return below(4) === 0 ? `DELETE FROM app.t WHERE k = ${k}` : `DELETE v FROM app.t WHERE k = ${k} AND c = ${c}`
    case 3:
      return `UPDATE app.t SET s = ${below(2) === 0 ? "null" : below(100)} WHERE k = ${below(8)}`
    case 4:
      return `UPDATE app.t SET v = ${below(10)}, w = 'w' WHERE k = ${k} AND c = ${c}`
    default:
      return `INSERT INTO app.t (k, c, v) VALUES (${k}, ${c}, ${below(10)})`
  }
}
