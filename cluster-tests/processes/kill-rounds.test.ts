// One node under load is killed with -9 again and again; after each start everything that was acknowledged is there.
// KILL_ROUNDS (3), SEED (1) and KILL_SYNC (commitlog_sync: periodic) by environment; the long tier does hundreds.
//
// The clients are plain connections: a driver that loses its server as often as this throws errors of its own.
import { afterAll, beforeAll, expect, test } from "vitest"
import { CqlConnection } from "../../bench/cql-connection.ts"
import { type TestCluster, startCluster } from "./cluster.ts"

const ROUNDS = Number(process.env["KILL_ROUNDS"] ?? 3)
const SEED = Number(process.env["SEED"] ?? 1)
const SYNC = process.env["KILL_SYNC"] ?? "periodic"
const WRITERS = 32
const FILLING = "x".repeat(200)
let cluster: TestCluster

function connect(): Promise<CqlConnection> {
  const { address, nativePort } = cluster.local.node(1)
  return CqlConnection.connect(address, nativePort)
}

beforeAll(async () => {
  // Small memtables and log files, so that flushes, compactions and log files that are used again are hit as well.
  const nodeArguments = ["--memtable-space", "1", "--commitlog-segment-size", "1", "--commitlog-total-space", "16", "--commitlog-sync", SYNC]
  cluster = await startCluster({ nodes: 1, nodeArguments })
  const connection = await connect()
  await connection.query("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
  await connection.query("CREATE TABLE ks.t (id int PRIMARY KEY, a int, b text)")
  await connection.query("CREATE MATERIALIZED VIEW ks.by_a AS SELECT * FROM ks.t WHERE a IS NOT NULL AND id IS NOT NULL PRIMARY KEY (a, id)")
  connection.close()
})
afterAll(() => cluster?.stop())

test(`nothing acknowledged is missing after ${ROUNDS} rounds of kill -9`, async () => {
  /** Id to the last value that was acknowledged, and those that were sent after it. */
  const acknowledged = new Map<number, number>()
  const possible = new Map<number, Set<number>>()
  let value = 0
  for (let round = 0; round < ROUNDS; round++) {
    let isStopping = false
    const writer = async (number: number): Promise<void> => {
      const connection = await connect()
      for (let count = 0; !isStopping; count++) {
        // Each writer has ids of its own: writes of one id follow each other.
        const id = number + WRITERS * ((SEED * 7 + count * 13) % 200)
        const next = ++value
        possible.set(id, (possible.get(id) ?? new Set()).add(next))
        try {
          await connection.query(`INSERT INTO ks.t (id, a, b) VALUES (${id}, ${next}, '${FILLING}')`)
        } catch {
          break
        }
        acknowledged.set(id, next)
        possible.set(id, new Set())
      }
      connection.close()
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
  const connection = await connect()
  const base = pairs(await connection.query("SELECT id, a FROM ks.t"))
  const view = pairs(await connection.query("SELECT id, a FROM ks.by_a"))
  connection.close()
  const found = new Map(base)
  expect(found.size).toBe(base.length)
  const wrong: string[] = []
  for (const [id, value] of acknowledged) {
    const known = found.get(id) ?? null
    if (known !== value && (known === null || possible.get(id)?.has(known) !== true)) wrong.push(`${id}: acknowledged ${value}, found ${known}`)
  }
  expect(wrong).toEqual([])
  expect(sorted(view)).toEqual(sorted(base))
}

function sorted(rows: readonly (readonly [number, number])[]): string[] {
  return rows.map(([id, a]) => `${id} ${a}`).toSorted()
}

/** The rows of a RESULT with two columns of integers. */
function pairs(body: Buffer): [number, number][] {
  // kind, flags, columns, keyspace, table, then a name and a type for each column
  let at = 12
  for (let left = 2; left > 0; left--) at += 2 + body.readUInt16BE(at)
  for (let left = 2; left > 0; left--) at += 2 + body.readUInt16BE(at) + 2
  const count = body.readInt32BE(at)
  return Array.from({ length: count }, (_, row) => [body.readInt32BE(at + 8 + row * 16), body.readInt32BE(at + 16 + row * 16)])
}
