// Three nodes at replication factor 3, written and read at QUORUM through all of them: what a request costs over the whole
// cluster. CPU per request of the three processes together is the figure; they share the machine with the load.
//
//   npm run bench -- cluster [--only write,view1] [--shapes 3x32] [--seconds 5] [--rounds 1] [--keys 200000] [--profile DIRECTORY] [--address A]
//
// A shape of 3x32 is 3 connections to each node with 32 requests in flight on each. Views follow writes: what is still owed when
// the load ends is waited for, and its CPU time counts ("settled us"), or a faster answer would look like less work.
import { parseArgs } from "node:util"
import { CqlConnection } from "./cql-connection.ts"
import { type LoadResult, runLoad } from "./load.ts"
import { cpuTime, residentMiB } from "./process-cpu.ts"
import { median, printTable } from "./report.ts"
import { type ServerProcess, startNode } from "./server-process.ts"

const NODES = 3
const QUORUM = 4
const TEXTS = Array.from({ length: 5 }, () => "b34").join(",")
const INSERT = "(pk, ck, c0, c1, c2, c3, c4) VALUES (?, ?, ?, ?, ?, ?, ?)"
const SHAPES = ["3x128", "3x32"]
const ADMIN_PORT = 7199

interface Workload {
  readonly name: string
  readonly query: string
  readonly values: string
  readonly shapes: readonly string[]
  /** Loaded before, once. */
  readonly fill?: { readonly query: string; readonly values: string; readonly count: number }
}

function workloads(keys: number): Workload[] {
  const moving = `k${keys}`
  return [
    { name: "write", query: `INSERT INTO bench.rows ${INSERT}`, values: `k${keys},i1,${TEXTS}`, shapes: SHAPES },
    {
      name: "read", query: "SELECT * FROM bench.rows WHERE pk = ? AND ck = ?", values: `k${keys},i1`, shapes: SHAPES,
      fill: { query: `INSERT INTO bench.rows ${INSERT}`, values: `s${keys},i1,${TEXTS}`, count: keys },
    },
    { name: "view1", query: "INSERT INTO bench.one (pk, k1, c0, c1, c2) VALUES (?, ?, ?, ?, ?)", values: `${moving},${moving},b34,b34,b34`, shapes: SHAPES },
    { name: "view3", query: "INSERT INTO bench.three (pk, k1, k2, k3, c0, c1) VALUES (?, ?, ?, ?, ?, ?)", values: `${moving},${moving},${moving},${moving},b34,b34`, shapes: ["3x32"] },
  ]
}

const SCHEMA = [
  "CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
  "CREATE TABLE bench.rows (pk text, ck int, c0 text, c1 text, c2 text, c3 text, c4 text, PRIMARY KEY (pk, ck))",
  ...["one", "three"].map((name) => `CREATE TABLE bench.${name} (pk text PRIMARY KEY, k1 text, k2 text, k3 text, c0 text, c1 text, c2 text)`),
  ...["one k1", "three k1", "three k2", "three k3"].map((view) => {
    const [table, key] = view.split(" ")
    return `CREATE MATERIALIZED VIEW bench.${table}_by_${key} AS SELECT * FROM bench.${table} WHERE ${key} IS NOT NULL AND pk IS NOT NULL PRIMARY KEY (${key}, pk)`
  }),
]

export interface ClusterFigure extends LoadResult {
  readonly workload: string
  readonly shape: string
  /** CPU of all threads of all nodes per request, until nothing is owed any more. */
  readonly settledUs: number
}

export async function benchCluster(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" }, shapes: { type: "string" }, seconds: { type: "string", default: "5" }, rounds: { type: "string", default: "1" }, keys: { type: "string", default: "200000" },
      profile: { type: "string" }, address: { type: "string", default: "127.0.84.1" },
    },
  })
  const nodes: ServerProcess[] = []
  const figures: ClusterFigure[] = []
  try {
    for (let index = 0; index < NODES; index++) nodes.push(await startNode(addressAfter(values.address, index), values.profile ?? null, ["--seeds", `${values.address}:7000`, "--rack", `r${index + 1}`]))
    await createSchema(nodes[0]!)
    const chosen = workloads(Number(values.keys)).filter(({ name }) => values.only === undefined || values.only.split(",").includes(name))
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const workload of chosen) {
        if (round === 0 && workload.fill !== undefined) await runLoad({ ...target(nodes), ...workload.fill, connections: NODES, outstanding: 64, seconds: 0, warmSeconds: 0, consistency: QUORUM })
        for (const shape of workload.shapes.filter((each) => values.shapes === undefined || values.shapes.split(",").includes(each))) {
          figures.push(await measure(nodes, workload, shape, Number(values.seconds)))
        }
      }
    }
    printTable(summary(figures))
    console.log(`resident after all: ${nodes.map(({ pid }) => residentMiB(pid).toFixed(0)).join(", ")} MiB`)
  } finally {
    await Promise.all(nodes.map((node) => node.stop()))
  }
}

async function measure(nodes: readonly ServerProcess[], workload: Workload, shape: string, seconds: number): Promise<ClusterFigure> {
  const [perNode, outstanding] = shape.split("x").map(Number) as [number, number]
  const load = { ...target(nodes), query: workload.query, values: workload.values, connections: perNode * NODES, outstanding, consistency: QUORUM }
  // Warmed apart, so that what is owed after the load belongs to the load.
  await runLoad({ ...load, seconds: Math.min(2, seconds), warmSeconds: 0 })
  await untilNothingIsOwed(nodes)
  const before = allCpuUs(nodes)
  const result = await runLoad({ ...load, seconds, warmSeconds: 0 })
  await untilNothingIsOwed(nodes)
  if (result.errors > 0) throw new Error(`${workload.name} ${shape}: ${result.errors} errors`)
  const figure = { workload: workload.name, shape, ...result, settledUs: (allCpuUs(nodes) - before) / result.requests }
  console.log(JSON.stringify(figure))
  return figure
}

/** Polls the nodes' own figure of view updates that are not delivered. */
async function untilNothingIsOwed(nodes: readonly ServerProcess[]): Promise<void> {
  for (;;) {
    const owed = await Promise.all(nodes.map(async ({ address }) => {
      const health = (await (await fetch(`http://${address}:${ADMIN_PORT}/health`)).json()) as { readonly pendingViewUpdates: number }
      return health.pendingViewUpdates
    }))
    if (owed.every((count) => count === 0)) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function allCpuUs(nodes: readonly ServerProcess[]): number {
  return nodes.reduce((sum, { pid }) => sum + cpuTime(pid).allUs, 0)
}

async function createSchema(node: ServerProcess): Promise<void> {
  const connection = await CqlConnection.connect(node.address, node.port)
  for (const statement of SCHEMA) await connection.query(statement)
  connection.close()
}

function addressAfter(first: string, count: number): string {
  const parts = first.split(".")
  return [...parts.slice(0, 3), Number(parts[3]) + count].join(".")
}

function target(nodes: readonly ServerProcess[]): { address: string; port: number; pid: number; others: { address: string; pid: number }[] } {
  const [first, ...others] = nodes as [ServerProcess, ...ServerProcess[]]
  return { address: first.address, port: first.port, pid: first.pid, others: others.map(({ address, pid }) => ({ address, pid })) }
}

function summary(figures: readonly ClusterFigure[]): Record<string, string | number | null>[] {
  const names = [...new Set(figures.map(({ workload, shape }) => `${workload} ${shape}`))]
  return names.map((name) => {
    const rounds = figures.filter(({ workload, shape }) => `${workload} ${shape}` === name)
    const of = (pick: (figure: ClusterFigure) => number): number => median(rounds.map(pick))
    return {
      workload: name,
      "requests/s": of((figure) => figure.requestsPerSecond),
      "main us": of((figure) => figure.serverMainUs ?? Number.NaN),
      "all us": of((figure) => figure.serverAllUs ?? Number.NaN),
      "settled us": of((figure) => figure.settledUs),
      "p50 ms": of((figure) => figure.p50Ms),
      "p99 ms": of((figure) => figure.p99Ms),
      "client us": of((figure) => figure.clientUs),
    }
  })
}
