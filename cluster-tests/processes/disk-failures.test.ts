// Nodes whose disk fills up or fails under them: what clients are told, what goes on, what the policies do to the process.
import { type Client, errors, types } from "cassandra-driver"
import { afterEach, expect, test } from "vitest"
import { type TestCluster, startCluster } from "./cluster.ts"

let cluster: TestCluster
afterEach(() => cluster?.stop())

async function startNode(...nodeArguments: string[]): Promise<Client> {
  cluster = await startCluster({ nodes: 1, nodeArguments: ["--commitlog-segment-size", "1", ...nodeArguments] })
  const client = await cluster.client(1)
  await client.execute("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
  await client.execute("CREATE TABLE ks.t (id int PRIMARY KEY, a text)")
  return client
}

const LARGE = "x".repeat(50_000)

/** Null: acknowledged. */
async function write(client: Client, id: number): Promise<Error | null> {
  try {
    await client.execute("INSERT INTO ks.t (id, a) VALUES (?, ?)", [id, LARGE], { prepare: true, consistency: types.consistencies.one })
    return null
  } catch (error) {
    return error as Error
  }
}

async function ids(client: Client): Promise<number[]> {
  const { rows } = await client.execute("SELECT id FROM ks.t")
  return rows.map((row) => row["id"] as number).toSorted((a, b) => a - b)
}

test("a full disk: writes are refused as failures of the replica, reads go on, and so do writes once there is space", async () => {
  const client = await startNode("--commitlog-sync", "batch", "--commit-failure-policy", "die", "--disk-failure-policy", "die")
  await cluster.breakDisk(1, "write", "ENOSPC", "commitlog")
  const acknowledged: number[] = []
  let refused: Error | null = null
  for (let id = 0; id < 100 && refused === null; id++) {
    refused = await write(client, id)
    if (refused === null) acknowledged.push(id)
  }
  expect(refused).toBeInstanceOf(errors.ResponseError)
  expect((refused as errors.ResponseError).code).toBe(types.responseErrorCodes.writeFailure)
  expect(await ids(client)).toEqual(acknowledged)
  await cluster.mendDisk(1)
  expect(await write(client, 1000)).toBeNull()
  expect(await ids(client)).toEqual([...acknowledged, 1000])
  await cluster.kill(1)
  await cluster.restart(1)
  expect(await ids(await cluster.client(1))).toEqual([...acknowledged, 1000])
})

test("commit_failure_policy stop: service ends, the process stays and says why, and a restart has what was acknowledged", async () => {
  const client = await startNode("--commitlog-sync", "group")
  expect(await write(client, 1)).toBeNull()
  await cluster.breakDisk(1, "sync", "EIO", "commitlog")
  expect(await write(client, 2)).not.toBeNull()
  const health = await cluster.until("stopped", () => cluster.health(1), ({ stoppedBy }) => stoppedBy !== null)
  expect(health["ready"]).toBe(false)
  expect(health["stoppedBy"]).toContain("commit log failed in segment")
  await expect(cluster.client(1)).rejects.toThrow(errors.NoHostAvailableError)
  await cluster.kill(1)
  await cluster.restart(1)
  expect(await ids(await cluster.client(1))).toContain(1)
})

test("commit_failure_policy stop_commit: writes are refused, reads go on", async () => {
  const client = await startNode("--commitlog-sync", "batch", "--commit-failure-policy", "stop_commit")
  expect(await write(client, 1)).toBeNull()
  await cluster.breakDisk(1, "sync", "EIO", "commitlog")
  for (const id of [2, 3]) expect((await write(client, id)) as errors.ResponseError).toMatchObject({ code: types.responseErrorCodes.writeFailure })
  expect(await ids(client)).toContain(1)
  expect((await cluster.health(1))["ready"]).toBe(true)
})

test("commit_failure_policy die: the process ends with a code of its own", async () => {
  const client = await startNode("--commitlog-sync", "batch", "--commit-failure-policy", "die")
  const ended = new Promise((resolve) => cluster.local.node(1).process?.once("exit", resolve))
  await cluster.breakDisk(1, "sync", "EIO", "commitlog")
  expect(await write(client, 1)).not.toBeNull()
  expect(await ended).toBe(100)
})
