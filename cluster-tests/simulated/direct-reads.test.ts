// SELECTs by key that go the short way (cql/select/select-direct.ts) against the same ones the long way: traced requests
// always go that way. Pages go on where the other way stopped.
import { expect } from "vitest"
import { CONSISTENCY } from "../../cql/errors.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { testSchema } from "../../coordinator/testing.ts"
import { run as compact } from "../../storage/jobs/compact.ts"
import { run as flush } from "../../storage/jobs/flush.ts"
import { SimulatedCluster } from "./cluster.ts"
import { forSeeds } from "./seeds.ts"
import type { ClientResult } from "./simulated-client.ts"

const SCHEMA = [
  "CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  "CREATE TABLE app.plain (k text, c int, d text, v int, w text, PRIMARY KEY (k, c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC)",
  "CREATE TABLE app.keyed (k int, j text, s int STATIC, c int, v int, PRIMARY KEY ((k, j), c))",
  "CREATE TABLE app.single (k text PRIMARY KEY, v int, w text)",
  "CREATE MATERIALIZED VIEW app.by_v AS SELECT * FROM app.single WHERE v IS NOT NULL AND k IS NOT NULL PRIMARY KEY (v, k)",
]
const STATEMENTS = [
  "SELECT * FROM app.plain WHERE k = 'a'",
  "SELECT w, v, c FROM app.plain WHERE k = 'a' ORDER BY c ASC",
  "SELECT * FROM app.plain WHERE k = 'b' AND c = 3",
  "SELECT d, k FROM app.plain WHERE k = 'b' AND c >= 2 AND c < 6",
  "SELECT * FROM app.plain WHERE k = 'a' AND c = 3 AND d = 'x'",
  "SELECT * FROM app.plain WHERE k = 'a' AND c IN (1, 4, 5) AND d > 'x'",
  "SELECT c FROM app.plain WHERE k = 'a' LIMIT 5",
  "SELECT c FROM app.plain WHERE k = 'a' PER PARTITION LIMIT 4",
  "SELECT c FROM app.plain WHERE k = 'a' PER PARTITION LIMIT 5 LIMIT 6",
  "SELECT * FROM app.plain WHERE k = 'nobody'",
  "SELECT * FROM app.keyed WHERE k = 1 AND j = 'a'",
  "SELECT c, v FROM app.keyed WHERE k = 1 AND j = 'a' AND c > 1",
  "SELECT c, v FROM app.keyed WHERE k = 1 AND j = 'b'",
  "SELECT * FROM app.single WHERE k = 'a'",
  "SELECT w FROM app.single WHERE k = 'b'",
  "SELECT * FROM app.by_v WHERE v = 3",
  "SELECT k FROM app.by_v WHERE v = 3 AND k = 'a'",
]

forSeeds("the short way of a read gives what the long way gives", "cluster-tests/simulated/direct-reads.test.ts", 3, async (seed) => {
  const cluster = await SimulatedCluster.start({ seed, nodes: 1, schema: testSchema(1), simulation: { bodies: { flush, compact } } })
  const random = cluster.simulation.random.child("statements")
  const client = cluster.client(1)
  const run = (text: string): Promise<ClientResult> => cluster.wait(client.query(text, { consistency: CONSISTENCY.one }))
  for (const text of SCHEMA) await run(text)
  for (let round = 0; round < 6; round++) {
    for (let step = 0; step < 40; step++) await run(randomWrite((bound) => random.below(bound), round))
    if (random.below(2) === 0) await cluster.wait(cluster.node(1).store.flush())
    for (const text of STATEMENTS) await compare(text, 0)
    for (const text of STATEMENTS) await compare(text, 1 + random.below(4))
  }

  async function compare(text: string, pageSize: number): Promise<void> {
    const page = (pagingState: Buffer | null, traced: boolean): Promise<ClientResult> => cluster.wait(client.query(text, { consistency: CONSISTENCY.one, pageSize, pagingState, traced }))
    let state: Buffer | null = null
    for (let pages = 0; pages === 0 || state !== null; pages++) {
      const [short, long]: ClientResult[] = [await page(state, false), await page(state, true)]
      expect(short!.rows, `${text}, pages of ${pageSize}`).toEqual(long!.rows)
      expect(short!.pagingState, `${text}, page ${pages} of ${pageSize}`).toEqual(long!.pagingState)
      state = short!.pagingState
    }
  }
})

/** Nothing is deleted before the third round: until then most reads can go the short way. */
function randomWrite(below: (bound: number) => number, round: number): string {
  const k = ["a", "b"][below(2)] as string
  const c = below(8)
  const d = ["w", "x", "y"][below(3)] as string
  const kind = below(round < 2 ? 6 : 12)
  if (kind < 2) return `INSERT INTO app.plain (k, c, d, v, w) VALUES ('${k}', ${c}, '${d}', ${below(10)}, '${"w".repeat(below(50))}')`
  if (kind < 4) return `INSERT INTO app.keyed (k, j, c, v) VALUES (1, '${k}', ${c}, ${below(10)})`
  switch (kind) {
    case 4:
    case 5:
      return `INSERT INTO app.single (k, v, w) VALUES ('${["a", "b", "c", "d"][below(4)] as string}', ${below(5)}, 'w')`
    case 6:
      return `UPDATE app.plain SET v = ${below(10)} WHERE k = '${k}' AND c = ${c} AND d = '${d}'`
    case 7:
      return `INSERT INTO app.plain (k, c, d, v) VALUES ('${k}', ${c}, '${d}', 1) USING TTL ${1 + below(2)}`
    case 8:
      return `UPDATE app.keyed SET s = ${below(10)} WHERE k = 1 AND j = 'b'`
    case 9:
      return `DELETE FROM app.plain WHERE k = 'b' AND c = ${c}`
    case 10:
      return `DELETE w FROM app.single WHERE k = 'b'`
    default:
      return `DELETE FROM app.keyed WHERE k = 1 AND j = '${k}' AND c = ${c}`
  }
}
