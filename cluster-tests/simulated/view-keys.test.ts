// View keys at their limits: empty ones, the longest, and those that no row can have.
import { expect, test } from "vitest"
import { testSchema } from "../../coordinator/testing.ts"
import { CONSISTENCY } from "../../cql/errors.ts"
import { Buffer } from "../../runtime/pure.ts"
import { SimulatedCluster } from "./cluster.ts"

const KEYSPACE = "CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"
const VIEW = "CREATE MATERIALIZED VIEW app.by_a AS SELECT * FROM app.base WHERE a IS NOT NULL AND k IS NOT NULL AND c IS NOT NULL PRIMARY KEY (a, k, c)"

interface Session {
  readonly cluster: SimulatedCluster
  run(text: string, values?: readonly Buffer[]): Promise<unknown>
  /** "k/c/b" and the length of a, of every view row, through each node. */
  view(): Promise<string[]>
}

async function session(seed: number): Promise<Session> {
  const cluster = await SimulatedCluster.start({ seed, nodes: 3, schema: testSchema(3) })
  const run = (text: string, values: readonly Buffer[] = []) => cluster.wait(cluster.client(1).query(text, { consistency: CONSISTENCY.all, values }))
  const view = async (): Promise<string[]> => {
    const found: string[][] = []
    for (const node of [1, 2, 3]) {
      const { rows } = await cluster.wait(cluster.client(node).query("SELECT k, c, b, a FROM app.by_a", { consistency: CONSISTENCY.all }))
      found.push(rows.map(([k, c, b, a]) => `${String(k)}/${String(c)}/${String(b)} ${a?.length}`).toSorted())
    }
    expect(found).toEqual([found[0], found[0], found[0]])
    return found[0]!
  }
  await run(KEYSPACE)
  await run("CREATE TABLE app.base (k text, c text, a text, b text, PRIMARY KEY (k, c))")
  return { cluster, run, view }
}

const INSERT = "INSERT INTO app.base (k, c, a, b) VALUES (?, ?, ?, ?)"
const of = (size: number): Buffer => Buffer.alloc(size, "x")

test("the empty key is one like any other, and the longest too; a longer one is refused before anything is written", async () => {
  const { cluster, run, view } = await session(1)
  await run(VIEW)
  const [k, b] = [Buffer.from("k"), Buffer.from("b")]
  await run(INSERT, [k, Buffer.from("1"), of(0), b])
  await run(INSERT, [k, Buffer.from("2"), of(65_535), b])
  await expect(run(INSERT, [k, Buffer.from("3"), of(65_536), b])).rejects.toThrow("Key length of 65536 is longer than maximum of 65535 in materialized view by_a")
  await expect(run(`${INSERT} IF NOT EXISTS`, [k, Buffer.from("4"), of(65_536), b])).rejects.toThrow("Key length of 65536 is longer than maximum of 65535 in materialized view by_a")
  await expect(run(`BEGIN BATCH ${INSERT}; UPDATE app.base SET a = ? WHERE k = 'k' AND c = '5'; APPLY BATCH`, [k, Buffer.from("6"), b, b, of(65_536)])).rejects.toThrow("Key length of 65536")
  await expect(run(INSERT, [of(40_000), of(40_000), of(1), b])).rejects.toThrow("Key length of 80008 is longer than maximum of 65535 in materialized view by_a")
  await cluster.sleep(2000)
  expect(await view()).toEqual(["k/1/b 0", "k/2/b 65535"])
  await run("DELETE FROM app.base WHERE k = 'k'")
  await cluster.sleep(2000)
  expect(await view()).toEqual([])
})

test("a row that was there before its view, with a value that can be no key, is in no view until it has another", async () => {
  const { cluster, run, view } = await session(2)
  const [k, b] = [Buffer.from("k"), Buffer.from("b")]
  await run(INSERT, [k, Buffer.from("1"), of(70_000), b])
  await run(INSERT, [k, Buffer.from("2"), of(7), b])
  await run(VIEW)
  await cluster.sleep(5000)
  expect(await view()).toEqual(["k/2/b 7"])
  await run("UPDATE app.base SET a = 'short' WHERE k = 'k' AND c = '1'")
  await cluster.sleep(2000)
  expect(await view()).toEqual(["k/1/b 5", "k/2/b 7"])
})
