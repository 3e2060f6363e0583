// What readers of a view see: hidden entries count for no limit and no page, at any level; an owner that lags behind hides
// nothing and shows nothing that a newer mask of another one hides.
import { expect, test } from "vitest"
import { testSchema } from "../../coordinator/testing.ts"
import { CONSISTENCY, type Consistency } from "../../cql/errors.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { SimulatedCluster } from "./cluster.ts"

const SCHEMA = [
  "CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
  "CREATE TABLE app.base (k int, c int, a int, b int, PRIMARY KEY (k, c))",
  "CREATE MATERIALIZED VIEW app.by_a AS SELECT * FROM app.base WHERE a IS NOT NULL AND k IS NOT NULL AND c IS NOT NULL PRIMARY KEY (a, k, c)",
  "CREATE MATERIALIZED VIEW app.by_c AS SELECT k, c FROM app.base WHERE k IS NOT NULL AND c IS NOT NULL PRIMARY KEY (c, k)",
]
const LEVELS = [CONSISTENCY.one, CONSISTENCY.quorum, CONSISTENCY.all]

interface Session {
  readonly cluster: SimulatedCluster
  run(text: string, consistency?: Consistency, node?: number): Promise<void>
  ints(text: string, consistency: Consistency, node: number): Promise<string[]>
  pages(text: string, pageSize: number, consistency: Consistency): Promise<string[][]>
}

async function session(seed: number): Promise<Session> {
  const cluster = await SimulatedCluster.start({ seed, nodes: 3, schema: testSchema(3) })
  const texts = (rows: readonly (readonly (Buffer | null)[])[]): string[] => rows.map((row) => row.map((value) => (value === null ? "null" : value.readIntBE(value.length - 4, 4))).join("/"))
  const opened: Session = {
    cluster,
    run: async (text, consistency = CONSISTENCY.all, node = 1) => void (await cluster.wait(cluster.client(node).query(text, { consistency }))),
    ints: async (text, consistency, node) => texts((await cluster.wait(cluster.client(node).query(text, { consistency }))).rows),
    async pages(text, pageSize, consistency) {
      const pages: string[][] = []
      let pagingState: Buffer | null = null
      do {
        const client = cluster.client(1 + (pages.length % 3))
        const page: Awaited<ReturnType<typeof client.query>> = await cluster.wait(client.query(text, { consistency, pageSize, pagingState }))
        pages.push(texts(page.rows))
        pagingState = page.pagingState
      } while (pagingState !== null)
      return pages
    },
  }
  for (const statement of SCHEMA) await opened.run(statement)
  return opened
}

/** Rows 0-29 of a = 1, of which every third stays; the others leave masks, or dead rows in the view without new key column. */
async function withHoles(seed: number): Promise<Session> {
  const opened = await session(seed)
  for (let c = 0; c < 30; c++) await opened.run(`INSERT INTO app.base (k, c, a, b) VALUES (7, ${c}, 1, ${c})`)
  for (let c = 0; c < 30; c++) {
    if (c % 3 === 1) await opened.run(`UPDATE app.base SET a = 2 WHERE k = 7 AND c = ${c}`)
    if (c % 3 === 2) await opened.run(`DELETE FROM app.base WHERE k = 7 AND c = ${c}`)
  }
  await opened.cluster.sleep(2000)
  return opened
}

test("hidden entries count for no limit", async () => {
  const { ints } = await withHoles(1)
  for (const consistency of LEVELS) {
    for (const node of [1, 2, 3]) {
      expect(await ints("SELECT c FROM app.by_a WHERE a = 1 LIMIT 4", consistency, node)).toEqual(["0", "3", "6", "9"])
      expect(await ints("SELECT c FROM app.by_a WHERE a = 1 ORDER BY k DESC, c DESC LIMIT 3", consistency, node)).toEqual(["27", "24", "21"])
      expect(await ints("SELECT c FROM app.by_a PER PARTITION LIMIT 2", consistency, node)).toHaveLength(4)
      expect(await ints("SELECT c FROM app.by_c LIMIT 20", consistency, node)).toHaveLength(20)
      expect(await ints("SELECT count(*) FROM app.by_a WHERE a = 1", consistency, node)).toEqual(["10"])
    }
  }
})

test("nor for pages", async () => {
  const { pages } = await withHoles(2)
  const expected = Array.from({ length: 10 }, (_, index) => String(3 * index))
  for (const consistency of LEVELS) {
    const found = await pages("SELECT c FROM app.by_a WHERE a = 1", 3, consistency)
    expect(found.flat()).toEqual(expected)
    expect(found.slice(0, 3).map((page) => page.length)).toEqual([3, 3, 3])
    expect((await pages("SELECT a, c FROM app.by_a", 4, consistency)).flat()).toHaveLength(20)
    expect((await pages("SELECT c FROM app.by_c", 4, consistency)).flat()).toHaveLength(20)
  }
})

test("an owner that was away hides nothing at QUORUM and ALL, and shows nothing that has moved", async () => {
  const { cluster, run, ints } = await session(3)
  for (let c = 0; c < 10; c++) await run(`INSERT INTO app.base (k, c, a, b) VALUES (7, ${c}, 1, ${c})`)
  await cluster.sleep(2000)
  cluster.partition([3], [1, 2])
  await cluster.sleep(5000)
  for (let c = 0; c < 8; c++) await run(`UPDATE app.base SET a = 2 WHERE k = 7 AND c = ${c}`, CONSISTENCY.quorum)
  await run("INSERT INTO app.base (k, c, a, b) VALUES (7, 100, 1, 0)", CONSISTENCY.quorum)
  await cluster.sleep(2000)
  // Node 3 has masks of none of them, and is asked at once, before it has heard of any.
  const before = cluster.node(3).views.pending
  cluster.heal()
  await cluster.simulation.run(() => cluster.node(1).liveness.isAlive(3) && cluster.node(3).liveness.isAlive(1))
  expect(before).toBe(0)
  for (const node of [1, 2, 3]) expect(await ints("SELECT c FROM app.by_a WHERE a = 1 LIMIT 3", CONSISTENCY.all, node)).toEqual(["8", "9", "100"])
  await cluster.sleep(10_000)
  for (const node of [1, 2, 3]) expect(await ints("SELECT c FROM app.by_a WHERE a = 1", CONSISTENCY.one, node)).toEqual(["8", "9", "100"])
})
