// One node under load is killed with -9 again and again; after each start everything that was acknowledged is there.
// KILL_ROUNDS (3), SEED (1) and KILL_SYNC (commitlog_sync: periodic) by environment; the long tier does hundreds.
import { types } from "cassandra-driver"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type TestCluster, startCluster } from "./cluster.ts"
import { readAll } from "./view-check.ts"

const ROUNDS = Number(process.env["KILL_ROUNDS"] ?? 3)
const SEED = Number(process.env["SEED"] ?? 1)
const SYNC = process.env["KILL_SYNC"] ?? "periodic"
const WRITERS = 32
let cluster: TestCluster

beforeAll(async () => {
  // Small memtables and log files, so that flushes, compactions and log files that are used again are hit as well.
  const nodeArguments = ["--memtable-space", "1", "--commitlog-segment-size", "1", "--commitlog-total-space", "16", "--commitlog-sync", SYNC]
  cluster = await startCluster({ nodes: 1, nodeArguments })
  const client = await cluster.client(1)
  await client.execute("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
  await client.execute("CREATE TABLE ks.t (id int PRIMARY KEY, a int, b text)")
  await client.execute("CREATE MATERIALIZED VIEW ks.by_a AS SELECT * FROM ks.t WHERE a IS NOT NULL AND id IS NOT NULL PRIMARY KEY (a, id)")
})
afterAll(() => cluster?.stop())

test(`nothing acknowledged is missing after ${ROUNDS} rounds of kill -9`, async () => {
  /** Id to the last value that was acknowledged, and those that were sent after it. */
  const acknowledged = new Map<number, number>()
  const possible = new Map<number, Set<number>>()
  let value = 0
  for (let round = 0; round < ROUNDS; round++) {
    const client = await cluster.client(1)
    let isStopping = false
    const writer = async (number: number): Promise<void> => {
      for (let count = 0; !isStopping; count++) {
        // Each writer has ids of its own: writes of one id follow each other.
        const id = number + WRITERS * ((SEED * 7 + count * 13) % 200)
        const next = ++value
        possible.set(id, (possible.get(id) ?? new Set()).add(next))
        try {
          await client.execute("INSERT INTO ks.t (id, a, b) VALUES (?, ?, ?)", [id, next, "x".repeat(200)], { prepare: true, consistency: types.consistencies.one })
        } catch {
          return
        }
        acknowledged.set(id, next)
        possible.set(id, new Set())
      }
    }
    const before = value
    const writers = Promise.all(Array.from({ length: WRITERS }, (_, number) => writer(number)))
    const enough = 1000 + ((SEED * 31 + round * 977) % 4000)
    await cluster.until("enough written", () => Promise.resolve(value - before), (count) => count > enough)
    await cluster.kill(1)
    isStopping = true
    await writers
    await cluster.restart(1)
    await check(acknowledged, possible)
  }
}, 60_000 + ROUNDS * 30_000)

async function check(acknowledged: ReadonlyMap<number, number>, possible: ReadonlyMap<number, ReadonlySet<number>>): Promise<void> {
  const client = await cluster.client(1)
  const base = await readAll(client, "SELECT id, a FROM ks.t", ["id"])
  const view = await readAll(client, "SELECT a, id FROM ks.by_a", ["id"])
  const wrong: string[] = []
  for (const [id, value] of acknowledged) {
    const found = base.get(JSON.stringify([String(id)]))
    const known = found === undefined ? null : Number((JSON.parse(found) as [string, string][])[0]?.[1])
    if (known !== value && (known === null || possible.get(id)?.has(known) !== true)) wrong.push(`${id}: acknowledged ${value}, found ${known}`)
  }
  expect(wrong).toEqual([])
  expect([...view].sort()).toEqual([...base].sort())
}
