// Clients on three nodes add to one number by UPDATE ... IF, while messages are lost and repeated and a node is killed.
//
// Law 1: every update that was told as applied took effect once, and no two from the same value: the number in the end is
//        at least the count of those, and at most that count and the uncertain ones together.
// Law 2: a serial read sees every update applied before it began, and the number never goes back.
import { expect, test } from "vitest"
import { CONSISTENCY, RequestError } from "../../cql/errors.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { Random } from "../../runtime/random.ts"
import { testSchema } from "../../coordinator/testing.ts"
import { SimulatedCluster } from "./cluster.ts"
import { forSeeds } from "./seeds.ts"
import { boundValues } from "./simulated-client.ts"

const NODES = [1, 2, 3]
const RUN_MS = 8000
const PATIENCE_MS = 6000

class Run {
  readonly cluster: SimulatedCluster
  readonly #random: Random
  applied = 0
  uncertain = 0
  #seen = 0
  /** Numbers that an applied update started from. */
  readonly #from = new Set<number>()
  #endMs = 0

  constructor(cluster: SimulatedCluster, random: Random) {
    this.cluster = cluster
    this.#random = random
  }

  async all(): Promise<void> {
    this.#endMs = this.cluster.simulation.clock.monotonicMs() + RUN_MS
    const clients = NODES.flatMap((node) => [this.#client(node, this.#random.child(`client ${node}`))])
    await this.cluster.wait(Promise.all([...clients, this.#nemesis(this.#random.child("nemesis"))]))
  }

  get #isOver(): boolean {
    return this.cluster.simulation.clock.monotonicMs() >= this.#endMs
  }

  async #client(node: number, random: Random): Promise<void> {
    const { clock } = this.cluster.simulation
    let known = 0
    while (!this.#isOver) {
      await clock.sleep(random.float() * 100)
      if (!this.cluster.isRunning(node)) continue
      known = random.below(4) === 0 ? await this.#read(node, known) : await this.#add(node, known)
    }
  }

  async #read(node: number, known: number): Promise<number> {
    const atLeast = this.#seen
    const rows = await this.#query(node, "SELECT v FROM ks.t WHERE k = 'k' AND c = 1", CONSISTENCY.serial)
    if (rows === null) return known
    const value = Number(rows[0]?.[0]?.toString() ?? 0)
    expect(value, "law 2: a serial read").toBeGreaterThanOrEqual(atLeast)
    this.#seen = Math.max(this.#seen, value)
    return value
  }

  /** Adds one to what is there; returns what is there now as far as it was told. */
  async #add(node: number, known: number): Promise<number> {
    const condition = known === 0 ? "null" : `'${known}'`
    const rows = await this.#query(node, `UPDATE ks.t SET v = '${known + 1}' WHERE k = 'k' AND c = 1 IF v = ${condition}`, CONSISTENCY.quorum)
    if (rows === null) {
      this.uncertain++
      return known
    }
    if (rows[0]?.[0]?.[0] === 0) return Number(rows[0][1]?.toString() ?? 0)
    expect(this.#from.has(known), `law 1: two updates applied from ${known}`).toBe(false)
    this.#from.add(known)
    this.applied++
    this.#seen = Math.max(this.#seen, known + 1)
    return known + 1
  }

  /** Null: failed, or nobody answered. */
  async #query(node: number, text: string, consistency: typeof CONSISTENCY.quorum | typeof CONSISTENCY.serial): Promise<readonly (readonly (Buffer | null)[])[] | null> {
    const { clock } = this.cluster.simulation
    const answer = this.cluster.client(node).query(text, { consistency }).then(
      ({ rows }) => rows,
      (error: unknown) => {
        if (error instanceof RequestError) return null
        throw error
      },
    )
    return Promise.race([answer, clock.sleep(PATIENCE_MS).then(() => null)])
  }

  async #nemesis(random: Random): Promise<void> {
    const { clock, hub } = this.cluster.simulation
    while (!this.#isOver) {
      await clock.sleep(random.float() * 3000)
      const node = NODES[random.below(NODES.length)] as number
      switch (random.below(3)) {
        case 0:
          hub.conditions = { delayMinMs: 0.1, delayMaxMs: 50, dropRate: 0.1, duplicateRate: 0.1 }
          break
        case 1:
          hub.conditions = { delayMinMs: 0.1, delayMaxMs: 0.5, dropRate: 0, duplicateRate: 0 }
          break
        case 2: {
          if (!this.cluster.isRunning(node)) break
          if (random.below(2) === 0) this.cluster.kill(node)
          else this.cluster.powerLoss(node)
          await clock.sleep(random.float() * 2000)
          await this.cluster.startNode(node)
        }
      }
    }
  }
}

forSeeds("increments by IF", "cluster-tests/simulated/conditional-updates.test.ts", 2, async (seed) => {
  const cluster = await SimulatedCluster.start({ seed, nodes: 3, schema: testSchema(3) })
  const run = new Run(cluster, cluster.simulation.random.child("run"))
  await run.all()
  cluster.simulation.hub.conditions = { delayMinMs: 0.1, delayMaxMs: 0.5, dropRate: 0, duplicateRate: 0 }
  await cluster.sleep(5000)
  const { rows } = await cluster.wait(cluster.client(1).query("SELECT v FROM ks.t WHERE k = 'k' AND c = 1", { consistency: CONSISTENCY.serial }))
  const value = Number(rows[0]?.[0]?.toString() ?? 0)
  expect(value, "law 1").toBeGreaterThanOrEqual(run.applied)
  expect(value, "law 1").toBeLessThanOrEqual(run.applied + run.uncertain)
  expect(run.applied).toBeGreaterThan(10)
})

test("a majority is needed, and the commit reaches who was away", async () => {
  const cluster = await SimulatedCluster.start({ seed: 50, nodes: 3, schema: testSchema(3) })
  cluster.kill(3)
  await cluster.sleep(5000)
  await cluster.wait(cluster.client(1).query("INSERT INTO ks.t (k, c, v) VALUES ('k', 1, 'a') IF NOT EXISTS"))
  cluster.kill(2)
  await cluster.sleep(5000)
  await expect(cluster.wait(cluster.client(1).query("INSERT INTO ks.t (k, c, v) VALUES ('k', 1, 'b') IF NOT EXISTS"))).rejects.toMatchObject({ code: 0x1000, required: 2, alive: 1, consistency: CONSISTENCY.serial })
  await cluster.restart(3)
  await cluster.sleep(5000)
  const { rows } = await cluster.wait(cluster.client(3).query("INSERT INTO ks.t (k, c, v) VALUES ('k', 1, 'b') IF NOT EXISTS"))
  expect(rows[0]?.map((value) => value?.toString("latin1"))).toEqual(["\0", "k", "\0\0\0\x01", undefined, "a"])
})

test("clients of one node do not contend: all of a hundred updates at once are answered", async () => {
  const cluster = await SimulatedCluster.start({ seed: 51, nodes: 3, schema: testSchema(3) })
  const answers = Array.from({ length: 100 }, (_, index) => cluster.client(1).query(`INSERT INTO ks.t (k, c, v) VALUES ('k', 1, '${index}') IF NOT EXISTS`))
  const results = await cluster.wait(Promise.all(answers))
  expect(results.filter(({ rows }) => rows[0]?.[0]?.[0] === 1)).toHaveLength(1)
})

test("a conditional update moves the row of a view", async () => {
  const cluster = await SimulatedCluster.start({ seed: 52, nodes: 3, schema: { keyspaces: [], nextTableId: 1000 } })
  const run = (text: string, consistency: typeof CONSISTENCY.quorum | typeof CONSISTENCY.serial = CONSISTENCY.quorum) => cluster.wait(cluster.client(1).query(text, { consistency }))
  await run("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
  await run("CREATE TABLE ks.t (k int PRIMARY KEY, v int, w text)")
  await run("CREATE MATERIALIZED VIEW ks.by_v AS SELECT * FROM ks.t WHERE v IS NOT NULL AND k IS NOT NULL PRIMARY KEY (v, k)")
  await run("INSERT INTO ks.t (k, v, w) VALUES (1, 1, 'a') IF NOT EXISTS")
  await run("UPDATE ks.t SET v = 2 WHERE k = 1 IF v = 1")
  await run("UPDATE ks.t SET v = 3 WHERE k = 1 IF v = 1")
  await cluster.sleep(5000)
  const { rows } = await run("SELECT v, w FROM ks.by_v")
  expect(rows.map((row) => row.map((value) => value?.toString("latin1")))).toEqual([["\0\0\0\x02", "a"]])
  await expect(run("SELECT * FROM ks.t WHERE k IN (1, 2)", CONSISTENCY.serial)).rejects.toMatchObject({
    message: "SERIAL/LOCAL_SERIAL consistency may only be requested for one partition at a time",
  })
  expect((await run("SELECT v FROM ks.t WHERE k = 1", CONSISTENCY.serial)).rows).toHaveLength(1)
})

test("the statements of a BATCH message, conditional or reading first, each with its own values", async () => {
  const cluster = await SimulatedCluster.start({ seed: 53, nodes: 3, schema: { keyspaces: [], nextTableId: 1000 } })
  const client = cluster.client(1)
  const run = (text: string) => cluster.wait(client.query(text))
  await run("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
  await run("CREATE TABLE ks.t (k text, c text, v text, l list<text>, PRIMARY KEY (k, c))")
  const values = (...texts: string[]) => boundValues(texts.map((text) => Buffer.from(text)))
  const insert = (c: string, v: string) => ({ query: "INSERT INTO ks.t (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS", preparedId: null, values: values("k", c, v) })
  const plain = { query: "UPDATE ks.t SET l = ['a', 'b'] WHERE k = ? AND c = ?", preparedId: null, values: values("k", "1") }
  expect((await cluster.wait(client.batch("LOGGED", [insert("1", "x"), insert("2", "y"), plain]))).rows[0]?.[0]?.[0]).toBe(1)
  const refused = await cluster.wait(client.batch("UNLOGGED", [insert("2", "z"), insert("3", "z")]))
  expect(refused.metadata?.columns.map(({ name }) => name)).toEqual(["[applied]", "k", "c", "l", "v"])
  expect(refused.rows.map((row) => row.map((value) => value?.toString("latin1")))).toEqual([["\0", "k", "2", undefined, "y"]])
  const set = (value: string) => ({ query: "UPDATE ks.t SET l[1] = ? WHERE k = ? AND c = '1'", preparedId: null, values: values(value, "k") })
  await cluster.wait(client.batch("LOGGED", [set("c"), { ...plain, query: "UPDATE ks.t SET l = l - ['a'] WHERE k = ? AND c = ?" }]))
  const { rows } = await run("SELECT JSON l FROM ks.t WHERE k = 'k' AND c = '1'")
  expect(rows[0]?.[0]?.toString()).toBe('{"l": ["c"]}')
  const elsewhere = { ...insert("1", "x"), values: values("other", "1", "x") }
  await expect(cluster.wait(client.batch("LOGGED", [insert("9", "x"), elsewhere]))).rejects.toMatchObject({ message: "Batch with conditions cannot span multiple partitions" })
})
