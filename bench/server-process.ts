// A server to measure, as a process of its own.
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { CqlConnection } from "./cql-connection.ts"
import type { Load } from "./load.ts"

const LAUNCHER = fileURLToPath(new URL("../node/launch.mjs", import.meta.url))
const CANNED = fileURLToPath(new URL("protocol-canned.ts", import.meta.url))

export interface ServerProcess {
  readonly address: string
  readonly port: number
  readonly pid: number
  /** For runLoad. */
  readonly target: Pick<Load, "address" | "port" | "pid">
  /** Its data, when it was started here. */
  readonly directory: string | null
  stop(): Promise<void>
}

/** One node with an empty data directory of its own. `profile`: a directory for its CPU profile; `more`: further options. */
export async function startNode(address: string, profile: string | null, more: readonly string[] = []): Promise<ServerProcess> {
  const directory = mkdtempSync(join(tmpdir(), "belvedere-bench-"))
  const args = [...profiling(profile), LAUNCHER, "node", "--data", directory, "--address", address, "--admin-address", address, ...more]
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit", "ipc"] })
  let lastLines = ""
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    lastLines = (lastLines + text).slice(-2000)
  })
  await untilReady(child, (ready) => child.once("message", ready), () => lastLines)
  return serverAt(address, 9042, child.pid as number, directory, () => stop(child, directory))
}

/** The bare protocol server (protocol-canned.ts). */
export async function startBareServer(profile: string | null): Promise<ServerProcess> {
  const child = spawn(process.execPath, [...profiling(profile), CANNED, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] })
  let line = ""
  await untilReady(child, (ready) => child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    line += text
    if (line.includes("\n")) ready()
  }), () => line)
  const { port } = JSON.parse(line) as { port: number }
  return serverAt("127.0.0.1", port, child.pid as number, null, () => stop(child, null))
}

/** One that runs already: "ADDRESS:PORT[:PID]". Without its pid nothing is known of its CPU time and memory. */
export function runningServer(text: string): ServerProcess {
  const [address = "", port = "", pid = "0"] = text.split(":")
  return serverAt(address, Number(port), Number(pid), null, () => Promise.resolve())
}

function serverAt(address: string, port: number, pid: number, directory: string | null, stopIt: () => Promise<void>): ServerProcess {
  return { address, port, pid, target: { address, port, ...(pid > 0 ? { pid } : {}) }, directory, stop: stopIt }
}

export async function createBenchKeyspace(server: ServerProcess, schema: readonly string[]): Promise<void> {
  const connection = await CqlConnection.connect(server.address, server.port)
  for (const statement of schema) await connection.query(statement)
  connection.close()
}

function profiling(directory: string | null): string[] {
  return directory === null ? [] : ["--cpu-prof", "--cpu-prof-dir", directory]
}

function untilReady(child: ChildProcess, onReady: (ready: () => void) => void, lastLines: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    onReady(resolve)
    child.once("exit", (code) => reject(new Error(`the server ended with code ${code}:\n${lastLines()}`)))
  })
}

async function stop(child: ChildProcess, directory: string | null): Promise<void> {
  if (child.exitCode === null) {
    const ended = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGTERM")
    await ended
  }
  if (directory !== null) rmSync(directory, { recursive: true, force: true })
}
