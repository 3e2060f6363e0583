// The real cqlsh against three nodes. What it shows for whole sequences of statements is in sessions (session.ts); here
// is what sessions cannot say: output that differs from run to run, exit codes, files.
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { FIRST_ADDRESS, type TestCluster, startCluster } from "../processes/cluster.ts"
import { type Output, cqlsh, installPython } from "./python.ts"
import { PEER, playSession } from "./session.ts"

const ROOT = resolve(import.meta.dirname, "../..")
const LAUNCHER = join(ROOT, "node/launch.mjs")
const SCHEMA = [
  "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
  "CREATE TABLE ks.t (id int, c int, v text, PRIMARY KEY (id, c))",
  "CREATE MATERIALIZED VIEW ks.by_v AS SELECT * FROM ks.t WHERE v IS NOT NULL AND id IS NOT NULL AND c IS NOT NULL PRIMARY KEY (v, id, c)",
]
const address = FIRST_ADDRESS
const port = 9042
const LOCAL: Output = { code: 0, stdout: "\n key\n-------\n local\n\n(1 rows)\n", stderr: "" }
const directory = mkdtempSync(join(tmpdir(), "belvedere-cqlsh-"))
let cluster: TestCluster | null = null

beforeAll(async () => {
  const starting = PEER === null ? startCluster({ nodes: 3 }) : null
  await installPython()
  cluster = await starting
  if (cluster !== null) {
    const client = await cluster.client(1)
    for (const statement of SCHEMA) await client.execute(statement)
  }
}, 300_000)
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true })
  await cluster?.stop()
})

test.each(["types", "schema", "views", "errors", "commands"])("session: %s", async (name) => {
  await playSession(name, address, port)
})

const ours = test.skipIf(PEER !== null)

async function shell(input: string, words: readonly string[] = []): Promise<Output> {
  const output = await cqlsh(address, port, input, words)
  expect(output.stderr).toBe("")
  return output
}

ours("connects without a warning and says what it is connected to", async () => {
  expect(await shell("SHOW HOST\nSHOW VERSION\n")).toEqual({
    code: 0,
    stdout: `Connected to Test Cluster at ${address}:${port}\n[cqlsh 6.2.2 | Cassandra 5.0.0 | CQL spec 3.4.7 | Native protocol v5]\n`,
    stderr: "",
  })
})

ours("DESCRIBE CLUSTER says who owns what", async () => {
  const { stdout } = await shell("USE ks;\nDESCRIBE CLUSTER\n")
  const [head, ranges] = stdout.split("\nRange ownership:\n") as [string, string]
  expect(head).toBe("\nCluster: Test Cluster\nPartitioner: Murmur3Partitioner\nSnitch: SimpleSnitch\n")
  const lines = ranges.trimEnd().split("\n")
  expect(lines).toHaveLength(48)
  for (const line of lines) {
    expect(line).toMatch(/^ +-?\d+ +\[(\/127\.\d+\.\d+\.[123]:7000(, )?){3}\]$/)
    expect(new Set(line.match(/127\.\d+\.\d+\.\d/g)).size).toBe(3)
  }
})

ours("DESCRIBE SCHEMA leaves the system out, FULL does not, and every system keyspace describes itself", async () => {
  const { stdout } = await shell("DESCRIBE SCHEMA\n")
  for (const text of ["CREATE KEYSPACE ks WITH", "CREATE TABLE ks.t (", "CREATE MATERIALIZED VIEW ks.by_v AS"]) expect(stdout).toContain(text)
  expect(stdout).not.toContain("system")
  const system = ["system", "system_schema", "system_auth", "system_distributed", "system_traces", "system_views", "system_virtual_schema"]
  const full = await shell(["DESCRIBE FULL SCHEMA", ...system.map((keyspace) => `DESCRIBE KEYSPACE ${keyspace}`)].join("\n") + "\n")
  for (const keyspace of system) expect(full.stdout.split(new RegExp(`^(?:CREATE|VIRTUAL) KEYSPACE ${keyspace}\\b`, "m"))).toHaveLength(3)
})

ours("TRACING ON shows what nodes did when", async () => {
  const input = "CONSISTENCY ALL\nTRACING ON\nINSERT INTO ks.t (id, c, v) VALUES (1, 1, 'traced');\nSELECT * FROM ks.t WHERE id = 1;\nSELECT * FROM ks.by_v;\n"
  const { stdout } = await shell(input)
  const traces = stdout.split(/^Tracing session: [0-9a-f-]{36}$/m).slice(1)
  expect(traces).toHaveLength(3)
  for (const trace of traces) {
    const rows = trace.split("\n").map((line) => line.split(" | ").map((cell) => cell.trim())).filter((cells) => cells.length === 5)
    const [header, ...events] = rows as [string[], ...string[][]]
    expect(header).toEqual(["activity", "timestamp", "source", "source_elapsed", "client"])
    expect(events.map(([activity]) => activity)).toEqual(expect.arrayContaining(["Execute CQL3 query", expect.stringContaining("Parsing "), "Request complete"]))
    expect(trace).toMatch(/Sending \w+ message to \/127\.\d+\.\d+\.[23]/)
    const micros = events.map(([, timestamp]) => Number((timestamp as string).slice(17, 26)) * 1e6)
    // What happened is listed in its order, within the time that the request took (the start is shown in milliseconds).
    expect(micros.slice(0, -1)).toEqual(micros.slice(0, -1).toSorted((a, b) => a - b))
    expect((micros.at(-2) as number) - (micros.at(-1) as number)).toBeLessThan(2000)
    expect(events.every(([, , source, , client]) => source === address && client === "127.0.0.1")).toBe(true)
  }
})

ours("pages are put together, whatever their size", async () => {
  const client = await (cluster as TestCluster).client(1)
  await client.execute("CREATE TABLE ks.paged (id int, c int, PRIMARY KEY (id, c))")
  await Promise.all(Array.from({ length: 250 }, (_, index) => client.execute("INSERT INTO ks.paged (id, c) VALUES (?, ?)", [index % 7, index], { prepare: true })))
  const { stdout } = await shell("CONSISTENCY QUORUM\n" + ["PAGING 17", "PAGING OFF", "PAGING ON"].map((words) => `${words}\nSELECT c FROM ks.paged;\n`).join(""))
  const answers = stdout.split("(250 rows)").slice(0, -1)
  expect(answers).toHaveLength(3)
  for (const answer of answers) {
    const values = answer.match(/^ +\d+$/gm)?.map(Number) as number[]
    expect(values.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 250 }, (_, index) => index))
  }
})

ours("SOURCE and -f run a file", async () => {
  const file = join(directory, "statements.cql")
  writeFileSync(file, "-- a comment\nCREATE TABLE ks.sourced (id int PRIMARY KEY); INSERT INTO ks.sourced (id) VALUES (42);\n/* another */\nSELECT * FROM ks.sourced;\n")
  expect((await shell(`CONSISTENCY ALL\nSOURCE '${file}'\n`)).stdout).toContain("\n id\n----\n 42\n\n(1 rows)\n")
  writeFileSync(file, "SELECT * FROM ks.sourced;\n")
  expect((await shell("", ["-f", file])).stdout).toBe("\n id\n----\n 42\n\n(1 rows)\n")
})

ours("-e ends with 0 when all went well, with 2 when not", async () => {
  expect(await cqlsh(address, port, "", ["-k", "system", "-e", "SELECT key FROM local"])).toEqual(LOCAL)
  const failed = await cqlsh(address, port, "", ["-e", "SELECT * FROM ks.nope"])
  expect(failed).toEqual({ code: 2, stdout: "", stderr: '<stdin>:1:InvalidRequest: Error from server: code=2200 [Invalid query] message="table nope does not exist"\n' })
})

ours("COPY TO and COPY FROM carry every value both ways", async () => {
  const columns = "id, t, d, ts, s, l, m, b, bo, ut, tu, u"
  const types = "id int PRIMARY KEY, t text, d double, ts timestamp, s set<text>, l list<text>, m map<text, int>, b blob, bo boolean, ut frozen<ks.pair>, tu tuple<int, text>, u uuid"
  const lines = Array.from({ length: 2000 }, (_, id) =>
    [
      id, id % 7 === 0 ? "" : `"text ${id}, ü"`, id + 0.5, `2024-01-${String((id % 28) + 1).padStart(2, "0")} 10:00:00.123+0000`, `"{'a', 'b${id}'}"`, id % 3 === 0 ? "" : `"['x', 'y, z']"`,
      `{'k': ${id}}`, `0x${id.toString(16).padStart(4, "0")}`, id % 2 === 0 ? "True" : "False", `"{x: ${id}, y: 'text'}"`, `"(${id}, 'p')"`, `00000000-0000-0000-0000-${String(id).padStart(12, "0")}`,
    ].join(","),
  )
  const [given, exported] = ["given.csv", "exported.csv"].map((name) => join(directory, name)) as [string, string]
  writeFileSync(given, lines.join("\r\n") + "\r\n")
  const { stdout } = await shell(
    [
      "CREATE TYPE ks.pair (x int, y text);", `CREATE TABLE ks.copied (${types});`, "CONSISTENCY QUORUM",
      `COPY ks.copied (${columns}) FROM '${given}';`, `COPY ks.copied (${columns}) TO '${exported}';`, "",
    ].join("\n"),
  )
  expect(stdout.match(/2000 rows (imported|exported)/g)).toEqual(["2000 rows imported", "2000 rows exported"])
  expect(readFileSync(exported, "utf8").trimEnd().split("\r\n").toSorted()).toEqual(lines.toSorted())
})

ours("COPY FROM and COPY TO of 100,000 rows", async () => {
  const lines = Array.from({ length: 100_000 }, (_, id) => `${id},row ${id},${id % 1000}`)
  const [given, exported] = ["many.csv", "many-exported.csv"].map((name) => join(directory, name)) as [string, string]
  writeFileSync(given, lines.join("\n") + "\n")
  const { stdout } = await shell(
    `CREATE TABLE ks.many (id int PRIMARY KEY, t text, n int);\nCOPY ks.many (id, t, n) FROM '${given}';\nCOPY ks.many (id, t, n) TO '${exported}';\nSELECT count(*) FROM ks.many;\n`,
  )
  expect(stdout.match(/100000 rows (imported|exported)/g)).toEqual(["100000 rows imported", "100000 rows exported"])
  expect(stdout).toMatch(/^ +100000$/m)
  expect(readFileSync(exported, "utf8").trimEnd().split("\r\n").toSorted()).toEqual(lines.toSorted())
})

ours("npm run cqlsh runs it", async () => {
  const output = await run("npm", ["run", "--silent", "cqlsh", "--", "-e", "SELECT key FROM system.local", address], ROOT)
  expect(output).toEqual(LOCAL)
  expect((await run(process.execPath, [LAUNCHER, "cqlsh", "-e", "SELECT * FROM ks.nope", address], ROOT)).code).toBe(2)
})

ours("npm run cqlsh without cqlsh says in one line how to install it", async () => {
  const { code, stdout, stderr } = await run(process.execPath, [LAUNCHER, "cqlsh", "-e", "SHOW VERSION"], directory, { PATH: directory })
  expect([code, stdout]).toEqual([1, ""])
  expect(stderr).toMatch(/^cqlsh is not installed: .*pip install cqlsh.*\n$/)
})

function run(command: string, words: readonly string[], cwd: string, variables: Record<string, string> = {}): Promise<Output> {
  return new Promise((resolve) => {
    execFile(command, words, { cwd, env: { ...process.env, ...variables } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}
