// The native protocol alone: the bare server (protocol-canned.ts) at the shapes of load of the node's benchmark, and what
// parsing and compiling a typical statement costs.
import { parseStatement } from "../cql/language/parse.ts"
import { runLoad } from "./load.ts"
import { printTable } from "./report.ts"
import { startBareServer } from "./server-process.ts"

const TEXTS = Array.from({ length: 5 }, () => "b34").join(",")
const WRITE = { query: "INSERT INTO ks.t (pk, ck, c0, c1, c2, c3, c4) VALUES (?, ?, ?, ?, ?, ?, ?)", values: `k200000,i1,${TEXTS}` }
const READ = { query: "SELECT * FROM ks.t WHERE pk = ? AND ck = ?", values: "k200000,i1" }
const SHAPES = [[1, 128], [8, 128], [8, 16], [128, 1]] as const
const PARSES = 200_000

export async function benchProtocol(): Promise<void> {
  const rows: Record<string, string | number | null>[] = []
  const server = await startBareServer(null)
  try {
    for (const [name, statement] of [["write", WRITE], ["read", READ]] as const) {
      for (const [connections, outstanding] of SHAPES) {
        const result = await runLoad({ ...statement, address: server.address, port: server.port, pid: server.pid, connections, outstanding, seconds: 4, warmSeconds: 1 })
        console.log(JSON.stringify({ workload: name, connections, outstanding, ...result }))
        rows.push({
          workload: `${name} ${connections}x${outstanding}`, "requests/s": result.requestsPerSecond, "server us": result.serverMainUs, "client us": result.clientUs,
          "p50 ms": result.p50Ms, "p99 ms": result.p99Ms,
        })
      }
    }
  } finally {
    await server.stop()
  }
  printTable(rows)
  for (const { query } of [WRITE, READ]) console.log(`parse ${parseUs(query).toFixed(2)} us: ${query}`)
}

/** CPU time of one parse, in microseconds, once the parser is warm. */
function parseUs(text: string): number {
  for (let index = 0; index < PARSES / 10; index++) parseStatement(text)
  const before = process.cpuUsage()
  for (let index = 0; index < PARSES; index++) parseStatement(text)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / PARSES
}
