// Queries by index at QUORUM on replicas that each lack some writes: what they answer is what the rows are when all
// replicas' versions are merged. A second table without indexes gets the same statements at ALL and is asked with ALLOW
// FILTERING; its answers are what is expected. Writes of the first reach two replicas of three, past the coordinator, so
// that nothing hints or repairs; indexes are made before, between and after writes; nodes are flushed, killed and started.
import { expect } from "vitest"
import { CONSISTENCY, type Consistency } from "../../cql/errors.ts"
import { IndexSweeper } from "../../coordinator/indexes/index-sweeper.ts"
import { compileStatement } from "../../cql/compile.ts"
import type { LocalStore } from "../../data/local-store.ts"
import { MutationWriter } from "../../data/mutation.ts"
import type { TableSchema } from "../../data/schema.ts"
import { Buffer, assert } from "../../runtime/pure.ts"
import { run as compact } from "../../storage/jobs/compact.ts"
import { run as flush } from "../../storage/jobs/flush.ts"
import { SimulatedCluster } from "./cluster.ts"
import { forSeeds } from "./seeds.ts"

const COLUMNS = "(k int, c int, s int STATIC, v int, w text, l set<int>, m map<int, int>, PRIMARY KEY (k, c))"
const INDEXES = ["v", "w", "s", "c", "l", "entries(m)", "keys(m)"]
const QUERIES = [
  "v = 3", "v > 3", "v >= 2 AND v < 5", "w = 'b'", "s = 2", "s > 1", "c = 4", "c > 5", "l CONTAINS 2", "l CONTAINS 1 AND l CONTAINS 2", "m[1] = 2", "m CONTAINS KEY 3",
  "v = 3 AND w = 'b'", "v > 1 AND s = 2", "k = 1 AND v = 3", "k = 2 AND v > 2", "w = 'a' AND c > 3", "v = 1 AND l CONTAINS 1",
]
const FILE = "cluster-tests/simulated/index-reads.test.ts"

forSeeds("indexes answer at QUORUM what the merged rows are", FILE, 3, async (seed) => {
  const cluster = await SimulatedCluster.start({ seed, nodes: 3, schema: { keyspaces: [], nextTableId: 1000 }, simulation: { bodies: { flush, compact } } })
  const random = cluster.simulation.random.child("statements")
  const below = (bound: number): number => random.below(bound)
  const query = (text: string, consistency: Consistency = CONSISTENCY.quorum): Promise<string[]> => everyPage(cluster, 1 + below(3), text, consistency, below(2) === 0 ? 0 : 1 + below(5))
  await query("CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
  // Reads must not make the replicas equal.
  await query(`CREATE TABLE app.t ${COLUMNS} WITH read_repair = 'NONE'`)
  await query(`CREATE TABLE app.u ${COLUMNS}`)
  const waiting = [...INDEXES]
  for (let step = 0; step < 160; step++) {
    if (step % 20 === 0 && waiting.length > 0) await query(`CREATE CUSTOM INDEX ON app.t (${waiting.splice(below(waiting.length), 1)[0] ?? ""}) USING 'sai'`)
    const timestamp = 1000 + step - below(10)
    const statement = randomWrite(below, timestamp)
    await query(statement.replaceAll("TABLE", "app.u"), CONSISTENCY.all)
    await writeToTwo(cluster, statement.replaceAll("TABLE", "app.t"), below(3))
    if (below(12) === 0) await cluster.wait(cluster.node(1 + below(3)).store.flush())
    if (below(40) === 0) await restartOne(cluster, 1 + below(3))
    if (step < 100 || step % 10 !== 0) continue
    const where = QUERIES[below(QUERIES.length)] as string
    const expected = await query(`SELECT k, c, s, v, w, l, m FROM app.u WHERE ${where} ALLOW FILTERING`)
    expect(await query(`SELECT k, c, s, v, w, l, m FROM app.t WHERE ${where} ALLOW FILTERING`), where).toEqual(expected)
  }
  await built(cluster)
  for (const { store } of cluster.running) refuseScans(store)
  await sweep(cluster, below)
  for (const where of QUERIES) {
    const expected = await query(`SELECT k, c, s, v, w, l, m FROM app.u WHERE ${where} ALLOW FILTERING`)
    for (const level of [CONSISTENCY.quorum, CONSISTENCY.all]) {
      expect(await query(`SELECT k, c, s, v, w, l, m FROM app.t WHERE ${where} ALLOW FILTERING`, level), `${where} at the end`).toEqual(expected)
    }
  }
})

forSeeds("indexes answer over a ring of which each node holds a part", FILE, 1, async (seed) => {
  const cluster = await SimulatedCluster.start({ seed, nodes: 5, schema: { keyspaces: [], nextTableId: 1000 }, simulation: { bodies: { flush, compact } } })
  const random = cluster.simulation.random.child("statements")
  const below = (bound: number): number => random.below(bound)
  const query = (text: string, consistency: Consistency): Promise<string[]> => everyPage(cluster, 1 + below(5), text, consistency, below(3) === 0 ? 0 : 1 + below(20))
  await query("CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}", CONSISTENCY.one)
  await query(`CREATE TABLE app.t ${COLUMNS}`, CONSISTENCY.one)
  await query(`CREATE TABLE app.u ${COLUMNS}`, CONSISTENCY.one)
  const waiting = [...INDEXES]
  for (let step = 0; step < 120; step++) {
    if (step % 10 === 0 && waiting.length > 0) await query(`CREATE CUSTOM INDEX ON app.t (${waiting.pop() ?? ""}) USING 'sai'`, CONSISTENCY.one)
    const statement = randomWrite(below, 1000 + step).replace(/k = \d/, `k = ${below(100)}`).replace(/VALUES \(\d/, `VALUES (${below(100)}`)
    for (const table of ["app.t", "app.u"]) await query(statement.replaceAll("TABLE", table), CONSISTENCY.all)
    if (below(20) === 0) await cluster.wait(cluster.node(1 + below(5)).store.flush())
  }
  await built(cluster)
  for (const { store } of cluster.running) refuseScans(store)
  for (const where of [...QUERIES, "v >= 0 AND token(k) > 0", "v = 3 AND token(k) <= 1000000000000000000"]) {
    const expected = await query(`SELECT k, c, s, v, w, l, m FROM app.u WHERE ${where} ALLOW FILTERING`, CONSISTENCY.one)
    for (const level of [CONSISTENCY.one, CONSISTENCY.quorum]) {
      expect(await query(`SELECT k, c, s, v, w, l, m FROM app.t WHERE ${where} ALLOW FILTERING`, level), where).toEqual(expected)
    }
  }
})

/** All pages. */
async function everyPage(cluster: SimulatedCluster, node: number, text: string, consistency: Consistency, pageSize: number): Promise<string[]> {
  const rows: string[] = []
  let pagingState: Buffer | null = null
  do {
    const page: { rows: readonly (readonly (Buffer | null)[])[]; pagingState: Buffer | null } = await cluster.wait(cluster.client(node).query(text, { consistency, pageSize, pagingState }))
    rows.push(...page.rows.map((row) => row.map((value) => value?.toString("hex") ?? "null").join(" ")))
    pagingState = page.pagingState
  } while (pagingState !== null)
  return rows
}

/** Applies the statement's mutations on all nodes but one. */
async function writeToTwo(cluster: SimulatedCluster, text: string, without: number): Promise<void> {
  const { schema } = cluster.node(1).metadata.current()
  const { plan } = compileStatement(text, schema, null, { nowMicros: () => 0, randomBytes: (count) => Buffer.alloc(count) })
  assert(plan.kind === "write", "a write")
  const writer = new MutationWriter()
  const count = plan.encode({ buffer: Buffer.alloc(0), count: 0, offsets: new Int32Array(0), lengths: new Int32Array(0), names: null }, { writer, timestampHigh: 0, timestampLow: 0, nowSeconds: Math.floor(cluster.node(1).process.clock.nowMicros() / 1e6) })
  assert(count === 1, "one mutation")
  const mutation = Buffer.from(writer.out.view())
  for (const node of [1, 2, 3].filter((each) => each !== without + 1)) {
    await cluster.wait(Promise.resolve(cluster.node(node).store.apply(mutation, "client", null)))
    cluster.node(node).store.writeOut()
  }
}

async function restartOne(cluster: SimulatedCluster, node: number): Promise<void> {
  cluster.kill(node)
  await cluster.restart(node)
  await cluster.sleep(10_000)
}

/** Until every node has built every index: then no query reads the table instead. */
async function built(cluster: SimulatedCluster): Promise<void> {
  const ids = (): number[] => (cluster.table("app", "t") as TableSchema).indexes.map(({ table }) => table.id)
  const isBuilt = (): boolean => ids().every((id) => cluster.running.every(({ node }) => cluster.log.last.viewBuilds.some((build) => build.view === id && build.node === node && build.status === "SUCCESS")))
  for (let step = 0; step < 1000 && !isBuilt(); step++) await cluster.sleep(50)
  expect(isBuilt()).toBe(true)
  expect(ids().length).toBe(INDEXES.length)
}

/** Takes away entries of values that are gone; a second time there are none. Some of their tombstones go by compaction. */
async function sweep(cluster: SimulatedCluster, below: (bound: number) => number): Promise<void> {
  for (const { store, metadata, process } of cluster.running) {
    const sweeper = (): Promise<number> => new IndexSweeper({ store: () => store, metadata, clock: process.clock, log: (line) => assert(false, line), minGrowthBytes: 0 }).sweep()
    expect(await cluster.wait(sweeper())).toBeGreaterThan(0)
    expect(await cluster.wait(sweeper())).toBe(0)
    if (below(2) === 0) await cluster.wait(store.flush())
  }
}

/** From now on a read of more than one partition of the table fails the test. */
function refuseScans(store: LocalStore): void {
  const read = store.read.bind(store)
  store.read = (command, sink) => {
    assert(command.table.name !== "t" || command.target.kind === "partition", "an index is asked, not all rows")
    return read(command, sink)
  }
}

function randomWrite(below: (bound: number) => number, timestamp: number): string {
  const key = `k = ${below(4)} AND c = ${below(8)}`
  const set = (what: string): string => `UPDATE TABLE USING TIMESTAMP ${timestamp} SET ${what} WHERE ${key}`
  switch (below(12)) {
    case 0:
      return `DELETE FROM TABLE USING TIMESTAMP ${timestamp} WHERE ${key}`
    case 1:
      return `DELETE FROM TABLE USING TIMESTAMP ${timestamp} WHERE k = ${below(4)} AND c > ${below(8)}`
    case 2:
      return `DELETE v FROM TABLE USING TIMESTAMP ${timestamp} WHERE ${key}`
    case 3:
      return `UPDATE TABLE USING TIMESTAMP ${timestamp} SET s = ${below(4)} WHERE k = ${below(4)}`
    case 4:
      return set(`l = l + {${below(4)}}`)
    case 5:
      return set(`l = l - {${below(4)}}`)
    case 6:
      return set(`m[${below(4)}] = ${below(4)}`)
    case 7:
      return set(`w = '${"abc"[below(3)] ?? ""}'`)
    case 8:
      return `INSERT INTO TABLE (k, c, v, w, l) VALUES (${below(4)}, ${below(8)}, ${below(7)}, '${"abc"[below(3)] ?? ""}', {${below(4)}, ${below(4)}}) USING TIMESTAMP ${timestamp}`
    default:
      return set(`v = ${below(7)}`)
  }
}
