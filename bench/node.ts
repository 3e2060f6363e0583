// One node through the native protocol: the workloads of the performance table, each at several shapes of load
// (connections x requests in flight on each). Server CPU per request is the figure to trust on a shared machine; the
// bare protocol server is measured in the same run, and what is above it is what the database costs.
//
//   npm run bench -- node [--only write,read] [--seconds 5] [--rounds 1] [--keys 200000] [--profile DIRECTORY] [--address A] [--port P --pid PID]
//
// Rounds are interleaved: every workload once, then all again; the table has medians. With --port a server that runs
// already is measured (Cassandra, for instance); its keyspace `bench` is dropped first. With --rate-of SHARE the load is
// open loop at that share of what the closed loop reached.
import { parseArgs } from "node:util"
import { CqlConnection } from "./cql-connection.ts"
import { type Load, type LoadResult, runLoad } from "./load.ts"
import { residentMiB } from "./process-cpu.ts"
import { median, printTable } from "./report.ts"
import { type ServerProcess, startBareServer, startNode } from "./server-process.ts"

interface Workload {
  readonly name: string
  readonly query: string
  readonly values: string
  readonly shapes: readonly string[]
  /** Loaded before, once. */
  readonly fill?: { readonly query: string; readonly values: string; readonly count: number }
}

/** About 200 bytes: a key of 10, an int, five texts of 34. */
const TEXTS = Array.from({ length: 5 }, () => "b34").join(",")
const INSERT = "(pk, ck, c0, c1, c2, c3, c4) VALUES (?, ?, ?, ?, ?, ?, ?)"
const SLICE_ROWS = 100
const SLICE_PARTITIONS = 1000

function workloads(keys: number): Workload[] {
  const moving = `k${keys}`
  return [
    { name: "write", query: `INSERT INTO bench.rows ${INSERT}`, values: `k${keys},i1,${TEXTS}`, shapes: ["8x128", "8x16", "128x1"] },
    {
      name: "read", query: "SELECT * FROM bench.rows WHERE pk = ? AND ck = ?", values: `k${keys},i1`, shapes: ["8x128", "8x16", "128x1"],
      fill: { query: `INSERT INTO bench.rows ${INSERT}`, values: `s${keys},i1,${TEXTS}`, count: keys },
    },
    {
      name: "slice", query: "SELECT * FROM bench.wide WHERE pk = ?", values: `k${SLICE_PARTITIONS}`, shapes: ["8x16"],
      fill: { query: `INSERT INTO bench.wide ${INSERT}`, values: `k${SLICE_PARTITIONS},i${SLICE_ROWS},${TEXTS}`, count: 6 * SLICE_ROWS * SLICE_PARTITIONS },
    },
    { name: "view1", query: "INSERT INTO bench.one (pk, k1, c0, c1, c2) VALUES (?, ?, ?, ?, ?)", values: `${moving},${moving},b34,b34,b34`, shapes: ["8x128", "8x16"] },
    { name: "view3", query: "INSERT INTO bench.three (pk, k1, k2, k3, c0, c1) VALUES (?, ?, ?, ?, ?, ?)", values: `${moving},${moving},${moving},${moving},b34,b34`, shapes: ["8x128", "8x16"] },
  ]
}

const SCHEMA = [
  "DROP KEYSPACE IF EXISTS bench",
  "CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  ...["rows", "wide"].map((name) => `CREATE TABLE bench.${name} (pk text, ck int, c0 text, c1 text, c2 text, c3 text, c4 text, PRIMARY KEY (pk, ck))`),
  ...["one", "three"].map((name) => `CREATE TABLE bench.${name} (pk text PRIMARY KEY, k1 text, k2 text, k3 text, c0 text, c1 text, c2 text)`),
  ...["one k1", "three k1", "three k2", "three k3"].map((view) => {
    const [table, key] = view.split(" ")
    return `CREATE MATERIALIZED VIEW bench.${table}_by_${key} AS SELECT * FROM bench.${table} WHERE ${key} IS NOT NULL AND pk IS NOT NULL PRIMARY KEY (${key}, pk)`
  }),
]

export interface NodeFigure extends LoadResult {
  readonly workload: string
  readonly shape: string
  /** Main-thread CPU of the bare protocol server under the same load; null when it was not measured. */
  readonly bareUs: number | null
}

export async function benchNode(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" }, shapes: { type: "string" }, seconds: { type: "string", default: "5" }, rounds: { type: "string", default: "1" }, keys: { type: "string", default: "200000" },
      profile: { type: "string" }, address: { type: "string", default: "127.0.83.1" }, port: { type: "string" }, pid: { type: "string" }, "no-bare": { type: "boolean", default: false },
      "rate-of": { type: "string" },
    },
  })
  const given = values.port === undefined ? null : { address: values.address, port: Number(values.port), pid: Number(values.pid ?? 0), stop: () => Promise.resolve() }
  const server = given ?? (await startNode(values.address, values.profile ?? null))
  const bare = values["no-bare"] ? null : await startBareServer(null)
  const figures: NodeFigure[] = []
  try {
    await createSchema(server)
    const chosen = workloads(Number(values.keys)).filter(({ name }) => values.only === undefined || values.only.split(",").includes(name))
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const workload of chosen) {
        if (round === 0 && workload.fill !== undefined) await runLoad({ ...target(server), ...workload.fill, connections: 8, outstanding: 64, seconds: 0, warmSeconds: 0 })
        for (const shape of workload.shapes.filter((each) => values.shapes === undefined || values.shapes.split(",").includes(each))) {
          figures.push(await measure(server, bare, workload, shape, Number(values.seconds), values["rate-of"] === undefined ? null : Number(values["rate-of"])))
        }
      }
    }
    printTable(summary(figures))
    if (server.pid > 0) console.log(`resident after all: ${residentMiB(server.pid).toFixed(0)} MiB`)
  } finally {
    await bare?.stop()
    await server.stop()
  }
}

async function measure(server: ServerProcess, bare: ServerProcess | null, workload: Workload, shape: string, seconds: number, rateOf: number | null): Promise<NodeFigure> {
  const [connections, outstanding] = shape.split("x").map(Number) as [number, number]
  const load = { query: workload.query, values: workload.values, connections, outstanding, seconds, warmSeconds: Math.min(2, seconds) }
  const bareResult = bare === null ? null : await runLoad({ ...target(bare), ...load, seconds: Math.min(2, seconds) })
  let result = await runLoad({ ...target(server), ...load })
  if (rateOf !== null) result = await runLoad({ ...target(server), ...load, rate: result.requestsPerSecond * rateOf })
  if (result.errors > 0) throw new Error(`${workload.name} ${shape}: ${result.errors} errors`)
  const figure = { workload: workload.name, shape, ...result, bareUs: bareResult?.serverMainUs ?? null }
  console.log(JSON.stringify(figure))
  return figure
}

async function createSchema(server: ServerProcess): Promise<void> {
  const connection = await CqlConnection.connect(server.address, server.port)
  for (const statement of SCHEMA) await connection.query(statement)
  connection.close()
}

function target(server: ServerProcess): Pick<Load, "address" | "port" | "pid"> {
  return { address: server.address, port: server.port, ...(server.pid > 0 ? { pid: server.pid } : {}) }
}

function summary(figures: readonly NodeFigure[]): Record<string, string | number | null>[] {
  const names = [...new Set(figures.map(({ workload, shape }) => `${workload} ${shape}`))]
  return names.map((name) => {
    const rounds = figures.filter(({ workload, shape }) => `${workload} ${shape}` === name)
    const of = (pick: (figure: NodeFigure) => number | null): number | null => {
      const found = rounds.map(pick).filter((value) => value !== null)
      return found.length === 0 ? null : median(found)
    }
    const mainUs = of((figure) => figure.serverMainUs)
    const bareUs = of((figure) => figure.bareUs)
    return {
      workload: name,
      "requests/s": of((figure) => figure.requestsPerSecond),
      "main us": mainUs,
      "all us": of((figure) => figure.serverAllUs),
      "bare us": bareUs,
      "above bare": mainUs === null || bareUs === null ? null : mainUs - bareUs,
      "p50 ms": of((figure) => figure.p50Ms),
      "p99 ms": of((figure) => figure.p99Ms),
      "p999 ms": of((figure) => figure.p999Ms),
      "client us": of((figure) => figure.clientUs),
    }
  })
}
