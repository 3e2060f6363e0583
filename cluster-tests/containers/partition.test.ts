// Three nodes as users of the image run them, with the settings of docker/compose.yaml, on a private network; nothing in the nodes
// knows of the test. A node is cut off below TCP: on both sides the neighbour entry of the other leads to a hardware address that
// nobody has, so that frames vanish without any answer, while the tests' own connections through the host go on.
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { Client, policies, types } from "cassandra-driver"
import { GenericContainer, Network, type StartedNetwork, type StartedTestContainer, Wait, getContainerRuntimeClient } from "testcontainers"
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest"
import { parse } from "yaml"
import { type Rows, checkViews, readAll } from "../processes/view-check.ts"

const ROOT = resolve(import.meta.dirname, "../..")
const NODES = [0, 1, 2] as const
const NOBODY = "02:00:00:00:00:01"
const PATIENCE = { timeout: 40_000, interval: 100 }
const { all, one, quorum } = types.consistencies

let network: StartedNetwork
let containers: readonly StartedTestContainer[] = []
/** What each node printed, by service. */
const logs = new Map<string, string>()
const clients: Client[] = []

interface Compose {
  readonly services: Readonly<Record<string, { readonly environment: Record<string, string> }>>
}

beforeAll(async () => {
  const run = promisify(execFile)
  await run(join(ROOT, "docker/base-image.sh"), ["belvedere-test-base"])
  await run(join(ROOT, "docker/build.sh"), ["--base", "belvedere-test-base", "--tag", "belvedere-test"])
  network = await new Network().start()
  const { services } = parse(readFileSync(join(ROOT, "docker/compose.yaml"), "utf8"), { merge: true }) as Compose
  containers = await Promise.all(
    Object.entries(services).map(([name, { environment }]) =>
      new GenericContainer("belvedere-test")
        .withNetwork(network)
        .withNetworkAliases(name)
        .withEnvironment(environment)
        // All that the image exposes: podman lists each of them as one to bind.
        .withExposedPorts(7000, 7199, 9042)
        .withAddedCapabilities("NET_ADMIN")
        .withLogConsumer((stream) => stream.on("data", (piece) => logs.set(name, (logs.get(name) ?? "") + String(piece))))
        .withWaitStrategy(Wait.forSuccessfulCommand("node /opt/belvedere/docker/ready.mjs"))
        .withStartupTimeout(60_000)
        .start(),
    ),
  )
  expect(containers.length).toBe(NODES.length)
})

afterEach(({ task }) => {
  if (task.result?.state === "fail") printLogs()
  return closeClients()
})

// Also containers that never became ready: nothing else removes them.
afterAll(async () => {
  if (network === undefined) return
  if (containers.length === 0) printLogs()
  const { container: engine } = await getContainerRuntimeClient()
  const mine = (await engine.list()).filter((info) => info.NetworkSettings.Networks[network.getName()] !== undefined)
  await Promise.all(mine.map(({ Id }) => engine.getById(Id).remove({ force: true, v: true })))
  await network.stop()
})

/** A session that talks to this node only. */
async function connect(node: number): Promise<Client> {
  const container = started(node)
  const contactPoint = `${container.getHost() === "localhost" ? "127.0.0.1" : container.getHost()}:${container.getMappedPort(9042)}`
  const client = new Client({
    contactPoints: [contactPoint],
    localDataCenter: "datacenter1",
    policies: { loadBalancing: new policies.loadBalancing.AllowListPolicy(new policies.loadBalancing.RoundRobinPolicy(), [contactPoint]), retry: new policies.retry.FallthroughRetryPolicy() },
    queryOptions: { consistency: quorum, prepare: true },
  })
  clients.push(client)
  await client.connect()
  return client
}

function printLogs(): void {
  for (const [name, text] of logs) console.log(`--- ${name}\n${text}`)
}

async function closeClients(): Promise<void> {
  await Promise.all(clients.splice(0).map((client) => client.shutdown()))
}

function started(node: number): StartedTestContainer {
  return containers[node] as StartedTestContainer
}

function addressOf(node: number): string {
  return started(node).getIpAddress(network.getName())
}

/** Changes what `node` knows of how to reach `peer` on their network. */
async function neighbour(node: number, verb: "replace" | "del", peer: number): Promise<void> {
  const device = `$(ip -o -4 addr show to ${addressOf(node)} | awk '{ print $2 }')`
  const entry = verb === "replace" ? `lladdr ${NOBODY} nud permanent` : ""
  const { exitCode, output } = await started(node).exec(["sh", "-c", `ip neigh ${verb} ${addressOf(peer)} ${entry} dev ${device}`], { user: "root" })
  if (exitCode !== 0) throw new Error(`ip neigh on node ${node}: ${output}`)
}

/** Cuts a node off from the two others, or joins it to them again. */
async function links(node: number, verb: "replace" | "del"): Promise<void> {
  const others = NODES.filter((other) => other !== node)
  await Promise.all(others.flatMap((other) => [neighbour(node, verb, other), neighbour(other, verb, node)]))
}

/** The error of a coordinator that knows of too few replicas and does not even try. */
function refusal(required: number, alive: number): Record<string, number> {
  return { code: types.responseErrorCodes.unavailableException, required, alive }
}

async function baseRows(client: Client): Promise<Rows> {
  return readAll(client, "SELECT id, a, b FROM ks.t", ["id"])
}

/** Resolves with the base's rows at ALL, once all nodes answer with the same and the view is what the base says. */
async function agreed(): Promise<Rows> {
  let first: Rows | null = null
  for (const node of NODES) {
    const client = await connect(node)
    const rows = await vi.waitFor(() => baseRows(client), PATIENCE)
    first ??= rows
    expect(rows).toEqual(first)
    await vi.waitFor(async () => {
      expect(await checkViews(client, "ks.t", [{ name: "ks.by_a", column: "a", selected: ["b"] }])).toEqual([])
    }, PATIENCE)
  }
  return first as Rows
}

test("the image has the binary package that compresses", async () => {
  const program = 'import { lz4Compress } from "/opt/belvedere/dist/runtime/pure.js"; process.stdout.write(lz4Compress(Buffer.alloc(1000)).length < 100 ? "smaller" : "larger")'
  expect(await started(0).exec(["node", "--input-type=module", "--eval", program])).toMatchObject({ exitCode: 0, output: "smaller" })
})

test("a node that is cut off refuses QUORUM, the others go on, and after healing ALL agrees and the view is right", async () => {
  const majority = await connect(0)
  const minority = await connect(2)
  await majority.execute("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
  await majority.execute("CREATE TABLE ks.t (id int PRIMARY KEY, a int, b text)")
  await majority.execute("CREATE MATERIALIZED VIEW ks.by_a AS SELECT * FROM ks.t WHERE a IS NOT NULL AND id IS NOT NULL PRIMARY KEY (a, id)")
  for (let id = 0; id < 100; id++) await majority.execute("INSERT INTO ks.t (id, a, b) VALUES (?, ?, ?)", [id, id % 5, `v${id}`], { consistency: all })

  await links(2, "replace")
  // Not one of these fails: two of three replicas are a quorum from the first moment on.
  for (let id = 10; id < 60; id++) await majority.execute("UPDATE ks.t SET a = ?, b = 'moved' WHERE id = ?", [id % 7, id])
  for (let id = 50; id < 60; id++) await majority.execute("DELETE FROM ks.t WHERE id = ?", [id])
  const refused = "INSERT INTO ks.t (id, a) VALUES (1000, 1)"
  await vi.waitFor(() => expect(minority.execute(refused)).rejects.toMatchObject(refusal(2, 1)), PATIENCE)
  await expect(minority.execute("SELECT a FROM ks.t WHERE id = 1")).rejects.toMatchObject(refusal(2, 1))
  await vi.waitFor(() => expect(majority.execute("SELECT a FROM ks.t WHERE id = 1", [], { consistency: all })).rejects.toMatchObject(refusal(3, 2)), PATIENCE)
  // Both sides have moved the same view keys.
  for (let id = 0; id < 25; id++) await minority.execute("UPDATE ks.t SET a = 100 WHERE id = ?", [id], { consistency: one })

  await links(2, "del")
  const rows = await agreed()
  expect(rows.get(JSON.stringify(["20"]))).toBe(JSON.stringify([["a", "100"], ["b", "moved"]]))
  expect(rows.get(JSON.stringify(["30"]))).toBe(JSON.stringify([["a", "2"], ["b", "moved"]]))
  expect(rows.has(JSON.stringify(["55"]))).toBe(false)
})

test("containers killed and restarted, the seed alone and then all at once, keep their data at whatever address they get", async () => {
  const client = await connect(1)
  for (let id = 2000; id < 2100; id++) await client.execute("INSERT INTO ks.t (id, a, b) VALUES (?, ?, 'kept')", [id, id % 11])
  const before = await agreed()
  await closeClients()
  // Without a grace period this is kill -9.
  await started(0).restart({ timeout: 0 })
  expect(await agreed()).toEqual(before)
  await closeClients()
  await Promise.all(containers.map((container) => container.restart({ timeout: 0 })))
  expect(await agreed()).toEqual(before)
})
