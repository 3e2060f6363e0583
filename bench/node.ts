// One node through the native protocol: the workloads of the performance table, each at several shapes of load
// (connections x requests in flight on each). Server CPU per request is the figure to trust on a shared machine; the
// bare protocol server is measured in the same run, and what is above it is what the database costs.
//
//   npm run bench -- node [--only write,read,sustained] [--shapes 8x128] [--seconds 5] [--rounds 1] [--keys 200000] [--rows 4000000]
//     [--profile DIRECTORY] [--address A] [--port P --pid PID] [--peer ADDRESS:PORT[:PID]] [--rate-of SHARE | --rate N] [--no-bare]
//
// Rounds are interleaved: every workload once, then all again; the table has medians. With --port a server that runs already
// is measured instead of one of its own. --peer measures another server next to it (Cassandra, for instance), workload by
// workload, who comes first in turns, and the table has the ratio. The keyspace `bench` of servers that run already is dropped.
//
// With --rate-of the load is open loop: at that share of what the peer took in the closed loop, or this server when there is no
// peer. --rate says how many requests per second. Latencies count from when a request was due.
//
// `sustained` (sustained.ts) is on a node of its own: memory with a million rows, CPU of all threads and bytes written over
// several flushes and a compaction.
import { parseArgs } from "node:util"
import { type LoadResult, runLoad } from "./load.ts"
import { SCHEMA, type Workload, workloads } from "./node-workloads.ts"
import { residentMiB } from "./process-cpu.ts"
import { median, printTable } from "./report.ts"
import { type ServerProcess, createBenchKeyspace, runningServer, startBareServer, startNode } from "./server-process.ts"
import { benchSustained } from "./sustained.ts"

export interface NodeFigure extends LoadResult {
  readonly server: "node" | "peer"
  readonly workload: string
  readonly shape: string
  /** Main-thread CPU of the bare protocol server under the same load; null when it was not measured. */
  readonly bareUs: number | null
}

/** Requests per second of an open loop. */
interface Rate {
  /** A share of the closed loop's. */
  readonly share: number | null
  readonly perSecond: number | null
}

const OPTIONS = {
  only: { type: "string" }, shapes: { type: "string" }, seconds: { type: "string", default: "5" }, rounds: { type: "string", default: "1" },
  keys: { type: "string", default: "200000" }, rows: { type: "string", default: "4000000" }, profile: { type: "string" },
  address: { type: "string", default: "127.0.83.1" }, port: { type: "string" }, pid: { type: "string" }, peer: { type: "string" },
  "no-bare": { type: "boolean", default: false }, "rate-of": { type: "string" }, rate: { type: "string" },
} as const

export async function benchNode(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS })
  const only = values.only?.split(",") ?? null
  const chosen = workloads(Number(values.keys)).filter(({ name }) => only === null || only.includes(name))
  const shapes = values.shapes?.split(",") ?? null
  const rate: Rate = { share: numberOf(values["rate-of"]), perSecond: numberOf(values.rate) }
  if (chosen.length > 0) {
    const server = values.port === undefined ? await startNode(values.address, values.profile ?? null) : runningServer(`${values.address}:${values.port}:${values.pid ?? 0}`)
    const peer = values.peer === undefined ? null : runningServer(values.peer)
    const bare = values["no-bare"] ? null : await startBareServer(null)
    try {
      await new NodeBench(server, peer, bare, Number(values.seconds), rate).run(chosen, shapes, Number(values.rounds))
    } finally {
      await bare?.stop()
      await server.stop()
    }
  }
  if (values.port === undefined && (only === null || only.includes("sustained"))) await benchSustained(values.address, Number(values.rows))
}

class NodeBench {
  readonly #server: ServerProcess
  readonly #peer: ServerProcess | null
  readonly #bare: ServerProcess | null
  readonly #seconds: number
  readonly #rate: Rate
  readonly #figures: NodeFigure[] = []

  constructor(server: ServerProcess, peer: ServerProcess | null, bare: ServerProcess | null, seconds: number, rate: Rate) {
    this.#server = server
    this.#peer = peer
    this.#bare = bare
    this.#seconds = seconds
    this.#rate = rate
  }

  async run(chosen: readonly Workload[], shapes: readonly string[] | null, rounds: number): Promise<void> {
    const servers = this.#peer === null ? [this.#server] : [this.#server, this.#peer]
    for (const server of servers) await createBenchKeyspace(server, SCHEMA)
    for (let round = 0; round < rounds; round++) {
      for (const workload of chosen) {
        if (round === 0 && workload.fill !== undefined) for (const server of servers) await runLoad({ ...server.target, ...workload.fill, connections: 8, outstanding: 64, seconds: 0, warmSeconds: 0 })
        for (const shape of workload.shapes) if (shapes === null || shapes.includes(shape)) await this.#measure(workload, shape, round)
      }
    }
    printTable(summary(this.#figures, this.#peer !== null))
    for (const server of servers) if (server.pid > 0) console.log(`${server === this.#server ? "node" : "peer"}: resident after all ${residentMiB(server.pid).toFixed(0)} MiB`)
  }

  async #measure(workload: Workload, shape: string, round: number): Promise<void> {
    const [connections, outstanding] = shape.split("x").map(Number) as [number, number]
    const load = { query: workload.query, values: workload.values, connections, outstanding, seconds: this.#seconds, warmSeconds: Math.min(2, this.#seconds) }
    const bareUs = this.#bare === null ? null : (await runLoad({ ...this.#bare.target, ...load, seconds: Math.min(2, this.#seconds) })).serverMainUs
    const servers: (readonly ["node" | "peer", ServerProcess])[] = [["node", this.#server]]
    if (this.#peer !== null) servers.push(["peer", this.#peer])
    if (round % 2 === 1) servers.reverse()
    let results = new Map<"node" | "peer", LoadResult>()
    const { perSecond, share } = this.#rate
    if (perSecond === null) for (const [name, server] of servers) results.set(name, await runLoad({ ...server.target, ...load }))
    if (perSecond !== null || share !== null) {
      const closed = results.get("peer") ?? results.get("node")
      const rate = perSecond ?? (closed as LoadResult).requestsPerSecond * (share as number)
      results = new Map()
      for (const [name, server] of servers) results.set(name, await runLoad({ ...server.target, ...load, rate }))
    }
    for (const [server, result] of results) {
      if (result.errors > 0) throw new Error(`${server}, ${workload.name} ${shape}: ${result.errors} errors`)
      const figure: NodeFigure = { server, workload: workload.name, shape, ...result, bareUs: server === "node" ? bareUs : null }
      console.log(JSON.stringify(figure))
      this.#figures.push(figure)
    }
  }
}

function numberOf(text: string | undefined): number | null {
  return text === undefined ? null : Number(text)
}

function summary(figures: readonly NodeFigure[], hasPeer: boolean): Record<string, string | number | null>[] {
  const names = [...new Set(figures.map(({ workload, shape }) => `${workload} ${shape}`))]
  return names.map((name) => {
    const of = (server: "node" | "peer", pick: (figure: NodeFigure) => number | null): number | null => {
      const found = figures.filter((figure) => figure.server === server && `${figure.workload} ${figure.shape}` === name).map(pick).filter((value) => value !== null)
      return found.length === 0 ? null : median(found)
    }
    const perSecond = of("node", (figure) => figure.requestsPerSecond)
    const mainUs = of("node", (figure) => figure.serverMainUs)
    const bareUs = of("node", (figure) => figure.bareUs)
    const peerPerSecond = of("peer", (figure) => figure.requestsPerSecond)
    return {
      workload: name, "requests/s": perSecond,
      "main us": mainUs, "all us": of("node", (figure) => figure.serverAllUs), "bare us": bareUs, "above bare": mainUs === null || bareUs === null ? null : mainUs - bareUs,
      "p50 ms": of("node", (figure) => figure.p50Ms), "p99 ms": of("node", (figure) => figure.p99Ms), "p999 ms": of("node", (figure) => figure.p999Ms),
      "client us": of("node", (figure) => figure.clientUs),
      ...(hasPeer ? {
        "peer requests/s": peerPerSecond, ratio: perSecond === null || peerPerSecond === null ? null : perSecond / peerPerSecond,
        "peer all us": of("peer", (figure) => figure.serverAllUs), "peer p99 ms": of("peer", (figure) => figure.p99Ms), "peer p999 ms": of("peer", (figure) => figure.p999Ms),
      } : {}),
    }
  })
}
