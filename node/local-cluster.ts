// A cluster on this machine: each node an operating-system process of its own, as `npm start` and the process tests run it.
// Nodes get addresses of their own (127.0.0.1, .2, .3 …); where only 127.0.0.1 exists, one address and a port each.
import { type ChildProcess, spawn } from "node:child_process"
import { createServer } from "node:net"
import { fileURLToPath } from "node:url"
import { DEFAULTS } from "./config.ts"

export interface LocalClusterOptions {
  readonly nodes: number
  /** Each node's data goes to `node1`, `node2` … below it. */
  readonly directory: string
  /** Opens /fault on the nodes. */
  readonly testing?: boolean
  readonly nativePort?: number
  readonly listenPort?: number
  readonly adminPort?: number
  /** Of node 1, IPv4; the others follow it. Default: 127.0.0.1. */
  readonly firstAddress?: string
  readonly clusterName?: string
  /** Further words for every node's command line. */
  readonly nodeArguments?: readonly string[]
  /** Log lines of the nodes; null: dropped. */
  readonly output?: ((node: number, line: string) => void) | null
}

export interface LocalNode {
  readonly node: number
  readonly address: string
  readonly nativePort: number
  readonly listenPort: number
  readonly adminPort: number
  readonly dataDirectory: string
  /** Null while it is stopped. */
  process: ChildProcess | null
}

const LAUNCHER = fileURLToPath(new URL("./launch.mjs", import.meta.url))
const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 30_000

/** The IPv4 address that is `count` behind `first`, in its last part. */
export function addressAfter(first: string, count: number): string {
  const dot = first.lastIndexOf(".")
  return `${first.slice(0, dot)}.${Number(first.slice(dot + 1)) + count}`
}

/** True when a socket can be bound to the address. */
export function canBind(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen(0, address, () => server.close(() => resolve(true)))
  })
}

export class LocalCluster {
  readonly nodes: readonly LocalNode[]
  readonly #options: LocalClusterOptions
  readonly #exits = new Map<number, Promise<number | null>>()

  private constructor(options: LocalClusterOptions, nodes: readonly LocalNode[]) {
    this.#options = options
    this.nodes = nodes
  }

  /** Lays the cluster out; starts nothing. */
  static async create(options: LocalClusterOptions): Promise<LocalCluster> {
    const first = options.firstAddress ?? "127.0.0.1"
    const ownAddresses = options.nodes === 1 || (await canBind(addressAfter(first, options.nodes - 1)))
    const nodes = Array.from({ length: options.nodes }, (_, index): LocalNode => {
      const portOffset = ownAddresses ? 0 : index
      return {
        node: index + 1,
        address: ownAddresses ? addressAfter(first, index) : "127.0.0.1",
        nativePort: (options.nativePort ?? DEFAULTS.nativePort) + portOffset,
        listenPort: (options.listenPort ?? DEFAULTS.listenPort) + portOffset,
        adminPort: (options.adminPort ?? DEFAULTS.adminPort) + portOffset,
        dataDirectory: `${options.directory}/node${index + 1}`,
        process: null,
      }
    })
    return new LocalCluster(options, nodes)
  }

  /** Starts every node and resolves when all serve clients. */
  async start(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.startNode(node.node)))
  }

  /** Resolves when the node serves clients; rejects with its last lines when it ends instead. */
  startNode(number: number): Promise<void> {
    const node = this.node(number)
    if (node.process !== null) throw new Error(`node ${number} is running`)
    const seed = this.node(1)
    const args = [
      LAUNCHER, "node", "--data", node.dataDirectory, "--address", node.address, "--native-port", String(node.nativePort),
      "--listen-port", String(node.listenPort), "--admin-address", node.address, "--admin-port", String(node.adminPort),
      "--seeds", `${seed.address}:${seed.listenPort}`, "--cluster-name", this.#options.clusterName ?? DEFAULTS.clusterName,
      ...(this.#options.testing === true ? ["--testing"] : []), ...(this.#options.nodeArguments ?? []),
    ]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe", "ipc"] })
    node.process = child
    const lastLines: string[] = []
    const onLine = (line: string): void => {
      lastLines.push(line)
      if (lastLines.length > 12) lastLines.shift()
      this.#options.output?.(number, line)
    }
    eachLine(child.stdout, onLine)
    eachLine(child.stderr, onLine)
    const exit = new Promise<number | null>((resolve) => {
      child.once("exit", (code) => {
        node.process = null
        resolve(code)
      })
    })
    this.#exits.set(number, exit)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`node ${number} was not ready after ${START_TIMEOUT_MS / 1000} s:\n${lastLines.join("\n")}`)), START_TIMEOUT_MS)
      child.once("message", () => {
        clearTimeout(timer)
        resolve()
      })
      void exit.then((code) => {
        clearTimeout(timer)
        reject(new Error(`node ${number} ended with code ${code} before it was ready:\n${lastLines.join("\n")}`))
      })
    })
  }

  /** SIGTERM: the node drains. Killed when it takes too long. */
  async stopNode(number: number): Promise<void> {
    const child = this.node(number).process
    if (child === null) return
    child.kill("SIGTERM")
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS)
    await this.#exits.get(number)
    clearTimeout(timer)
  }

  /** SIGKILL; resolves when the process is gone. */
  async killNode(number: number): Promise<void> {
    const child = this.node(number).process
    if (child === null) return
    child.kill("SIGKILL")
    await this.#exits.get(number)
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.stopNode(node.node)))
  }

  node(number: number): LocalNode {
    const node = this.nodes[number - 1]
    if (node === undefined) throw new Error(`there is no node ${number}`)
    return node
  }

  /** Resolves when any node ends by itself. */
  anyExit(): Promise<number> {
    return Promise.race(this.nodes.map(({ node }) => (this.#exits.get(node) ?? new Promise<never>(() => undefined)).then(() => node)))
  }
}

function eachLine(stream: NodeJS.ReadableStream | null, fn: (line: string) => void): void {
  let rest = ""
  stream?.setEncoding("utf8")
  stream?.on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop() as string
    for (const line of lines) fn(line)
  })
}
