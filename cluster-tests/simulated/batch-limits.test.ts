// Batches that are refused for their size: too long for a golden file.
import { expect, test } from "vitest"
import { answerText } from "../cql/answer-text.ts"
import { SimulatedBackEnd } from "../cql/simulated-back-end.ts"

test("a batch of several partitions above 50 KiB is refused, and nothing of it is written; one of a single partition is not", async () => {
  const backEnd = await SimulatedBackEnd.start({ seed: 1, nodes: 1, replicationFactor: 1, flushAfterWrites: false })
  const client = await backEnd.client(1)
  const lines = async (query: string): Promise<readonly string[]> => answerText(await backEnd.wait(client.query(query, {}))).lines
  await lines("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
  await lines("CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))")
  const batch = (kind: string, keys: readonly number[]): string =>
    `BEGIN ${kind} BATCH ${keys.map((key, index) => `INSERT INTO ks.t (k, c, v) VALUES (${key}, ${index}, '${"x".repeat(30_000)}')`).join(" ")} APPLY BATCH`
  expect(await lines(batch("", [1, 2]))).toEqual(["error invalid: Batch too large"])
  expect(await lines(batch("UNLOGGED", [1, 2]))).toEqual(["error invalid: Batch too large"])
  expect(await lines("SELECT count(*) FROM ks.t WHERE k = 1")).toEqual(["count bigint", "0"])
  expect(await lines(batch("", [1, 1]))).toEqual(["ok"])
  expect(await lines("SELECT count(*) FROM ks.t WHERE k = 1")).toEqual(["count bigint", "2"])
})
