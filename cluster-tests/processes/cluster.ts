// A cluster of real processes for tests: startCluster, then partition, heal, kill, restart.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Client, policies, types } from "cassandra-driver"
import { LocalCluster } from "../../node/local-cluster.ts"

/** Loopback addresses of this test file alone: every file is a process, and several runs of the tests share a machine. */
export const FIRST_ADDRESS = `127.${1 + ((process.pid >> 8) % 250)}.${process.pid % 256}.1`

export interface TestClusterOptions {
  readonly nodes: number
  readonly nodeArguments?: readonly string[]
}

export class TestCluster {
  readonly local: LocalCluster
  readonly #directory: string
  readonly #clients: Client[] = []
  readonly #numbers = new Map<number, number>()

  constructor(local: LocalCluster, directory: string) {
    this.local = local
    this.#directory = directory
  }

  /** Starts the nodes and learns their numbers. */
  async start(): Promise<void> {
    await this.local.start()
    for (const { node } of this.local.nodes) this.#numbers.set(node, (await this.health(node))["node"] as number)
  }

  /** What the cluster calls the node: nodes start at the same time and are numbered as they join. */
  number(node: number): number {
    const number = this.#numbers.get(node)
    if (number === undefined) throw new Error(`node ${node} has not started`)
    return number
  }

  /** A session that talks to this node only, so that a test knows its coordinator. */
  async client(node: number): Promise<Client> {
    const { address, nativePort } = this.local.node(node)
    const client = new Client({
      contactPoints: [`${address}:${nativePort}`],
      localDataCenter: "datacenter1",
      policies: { loadBalancing: new policies.loadBalancing.AllowListPolicy(new policies.loadBalancing.RoundRobinPolicy(), [`${address}:${nativePort}`]), retry: new policies.retry.FallthroughRetryPolicy() },
      socketOptions: { readTimeout: 20_000 },
      queryOptions: { consistency: types.consistencies.quorum },
    })
    await client.connect()
    this.#clients.push(client)
    return client
  }

  /** Cuts every link between nodes of different groups, both ways. */
  async partition(...groups: readonly (readonly number[])[]): Promise<void> {
    const cuts: Promise<void>[] = []
    for (const group of groups) {
      for (const other of groups) {
        if (group === other) continue
        for (const node of group) cuts.push(this.#fault(node, other.map((peer) => `cut=${this.number(peer)}`).join("&")))
      }
    }
    await Promise.all(cuts)
  }

  async heal(): Promise<void> {
    await Promise.all(this.local.nodes.filter((node) => node.process !== null).map((node) => this.#fault(node.node, "restore=all")))
  }

  /** Operations of the kind ("write", "sync", "read") on paths with `path` in them fail with the errno name, until `mendDisk`. */
  breakDisk(node: number, kind: string, code: string, path: string): Promise<void> {
    return this.#fault(node, `disk=${kind}:${code}:${path}`)
  }
  mendDisk(node: number): Promise<void> {
    return this.#fault(node, "disk=restore")
  }

  kill(node: number): Promise<void> {
    return this.local.killNode(node)
  }
  restart(node: number): Promise<void> {
    return this.local.startNode(node)
  }

  /** What the node says of itself on /health; nodes in it have the cluster's numbers. */
  async health(node: number): Promise<Record<string, unknown>> {
    const { address, adminPort } = this.local.node(node)
    const response = await fetch(`http://${address}:${adminPort}/health`)
    return (await response.json()) as Record<string, unknown>
  }

  /** Asks until `check` holds; throws after `timeoutMs` with the last answer. */
  async until<T>(what: string, ask: () => Promise<T>, check: (answer: T) => boolean, timeoutMs = 30_000): Promise<T> {
    const deadlineMs = performance.now() + timeoutMs
    for (;;) {
      const answer = await ask()
      if (check(answer)) return answer
      if (performance.now() > deadlineMs) throw new Error(`not ${what} after ${timeoutMs} ms; last: ${JSON.stringify(answer)}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Resolves when `observer` takes `node` for up or down. */
  async seen(observer: number, node: number, up: boolean): Promise<void> {
    await this.until(`seen ${up ? "up" : "down"}`, () => this.health(observer), (health) => (health["up"] as number[]).includes(this.number(node)) === up)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.shutdown()))
    await this.local.stop()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #fault(node: number, query: string): Promise<void> {
    const { address, adminPort } = this.local.node(node)
    const response = await fetch(`http://${address}:${adminPort}/fault?${query}`, { method: "POST" })
    if (!response.ok) throw new Error(`fault ${query} on node ${node}: ${await response.text()}`)
  }
}

/** Resolves when all nodes serve clients and see each other. */
export async function startCluster(options: TestClusterOptions): Promise<TestCluster> {
  const directory = mkdtempSync(join(tmpdir(), "belvedere-"))
  const local = await LocalCluster.create({
    nodes: options.nodes,
    directory,
    testing: true,
    firstAddress: FIRST_ADDRESS,
    nodeArguments: options.nodeArguments ?? [],
  })
  const cluster = new TestCluster(local, directory)
  try {
    await cluster.start()
  } catch (error) {
    await cluster.stop()
    throw error
  }
  return cluster
}
