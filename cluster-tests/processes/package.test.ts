// What `npm pack` makes, as a user gets it: installed in an empty folder by the machine's own npm and Node.js, started through its
// bin, asked through the native protocol.
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join, resolve } from "node:path"
import { promisify } from "node:util"
import { Client } from "cassandra-driver"
import { afterAll, beforeAll, expect, test } from "vitest"
import { FIRST_ADDRESS } from "./cluster.ts"

const ROOT = resolve(import.meta.dirname, "../..")
const folder = mkdtempSync(join(tmpdir(), "belvedere-package-"))
const data = join(folder, "data")
/** Without this checkout's node_modules/.bin, which npm and vitest put first. */
const machinePath = (process.env["PATH"] ?? "").split(delimiter).filter((entry) => !entry.includes("node_modules")).join(delimiter)
const processes: ChildProcess[] = []
let packedFiles: readonly string[]

async function npm(cwd: string, ...words: readonly string[]): Promise<string> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("npm_")))
  const { stdout } = await promisify(execFile)("npm", words, { cwd, env: { ...env, PATH: machinePath }, timeout: 120_000 })
  return stdout
}

/** As npx and npm scripts run it: the folder's node_modules/.bin first on the path. */
function belvedere(...words: readonly string[]): ChildProcess {
  const path = join(folder, "node_modules/.bin") + delimiter + machinePath
  const child = spawn("belvedere", words, { cwd: folder, env: { ...process.env, PATH: path }, stdio: ["ignore", "pipe", "inherit"] })
  processes.push(child)
  return child
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => (child.exitCode === null && child.signalCode === null ? child.once("exit", resolve) : resolve(child.exitCode)))
}

/** Resolves when the process has printed a text that matches. */
function printed(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ""
    child.stdout?.setEncoding("utf8").on("data", (piece: string) => {
      text += piece
      const match = pattern.exec(text)
      if (match !== null) resolve(match[0])
    })
    child.once("exit", (code) => reject(new Error(`ended with code ${code}:\n${text}`)))
  })
}

async function withClient<T>(contactPoint: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ contactPoints: [contactPoint], localDataCenter: "datacenter1" })
  try {
    await client.connect()
    return await work(client)
  } finally {
    await client.shutdown()
  }
}

beforeAll(async () => {
  const report = JSON.parse(await npm(ROOT, "pack", "--json", "--silent", "--pack-destination", folder)) as unknown
  // A list in npm up to 11, an object by package name after it.
  const [packed] = Object.values(report as Record<string, { filename: string; files: { path: string }[] }>)
  packedFiles = packed!.files.map((file) => file.path)
  await npm(folder, "install", "--prefer-offline", "--no-audit", "--no-fund", join(folder, packed!.filename))
}, 180_000)

afterAll(async () => {
  for (const child of processes) child.kill("SIGKILL")
  await Promise.all(processes.map(exitOf))
  rmSync(folder, { recursive: true, force: true })
})

test("the tarball holds the program and nothing that only tests use", () => {
  expect(packedFiles).toEqual(expect.arrayContaining(["LICENSE", "README.md", "dist/node/launch.mjs", "dist/node/main.js", "dist/runtime/real/job-worker.js"]))
  expect(packedFiles.filter((file) => /\.test\.|\.bench\.|testdata|simulated|\.ts$|^node_modules/.test(file))).toEqual([])
})

test("npx runs the bin under the Node.js that came with the package", async () => {
  // The command line answers only under Node.js 24.
  expect(await npm(folder, "exec", "--offline", "--", "belvedere", "--help")).toContain("Usage: belvedere")
})

test("an installed node flushes in its worker, and an installed cluster finds the data", async () => {
  mkdirSync(data)
  const one = belvedere("node", "--data", join(data, "node1"), "--address", FIRST_ADDRESS, "--admin-address", FIRST_ADDRESS, "--memtable-space", "1")
  await printed(one, /Starting listening for CQL clients.*/)
  await withClient(`${FIRST_ADDRESS}:9042`, async (client) => {
    await client.execute("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    await client.execute("CREATE TABLE ks.t (id int PRIMARY KEY, a text)")
    const text = "x".repeat(10_000)
    for (let id = 0; id < 300; id++) await client.execute("INSERT INTO ks.t (id, a) VALUES (?, ?)", [id, text], { prepare: true })
  })
  one.kill("SIGTERM")
  expect(await exitOf(one)).toBe(0)
  expect(readdirSync(data, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".sst"))).not.toEqual([])

  const cluster = belvedere("start", "--nodes", "1", "--empty", "--json", "--data", data, "--first-address", FIRST_ADDRESS)
  const { contactPoints } = JSON.parse(await printed(cluster, /^\{.*\}$/m)) as { contactPoints: string[] }
  expect(contactPoints).toEqual([`${FIRST_ADDRESS}:9042`])
  const rows = await withClient(contactPoints[0]!, (client) => client.execute("SELECT id FROM ks.t"))
  expect(rows.rowLength).toBe(300)
  cluster.kill("SIGTERM")
  expect(await exitOf(cluster)).toBe(0)
})
