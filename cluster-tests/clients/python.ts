// The real cqlsh and the Python driver, installed from Python's registry into a virtual environment under node_modules/.cache.
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { CQLSH_ENVIRONMENT } from "../../node/cqlsh.ts"

const ROOT = resolve(import.meta.dirname, "../..")
const ENVIRONMENT = join(ROOT, CQLSH_ENVIRONMENT)
const COMPLETE = join(ENVIRONMENT, "complete")
const PACKAGES = ["cqlsh==6.2.2", "cassandra-driver==3.30.1", "lz4==4.4.5"]
const INSTALL_TIMEOUT_MS = 240_000

export interface Output {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Installs once; later calls find it. REQUIRES: python3 with venv. */
export async function installPython(): Promise<void> {
  if (existsSync(COMPLETE)) return
  rmSync(ENVIRONMENT, { recursive: true, force: true })
  mkdirSync(ENVIRONMENT, { recursive: true })
  const made = await run("python3", ["-m", "venv", ENVIRONMENT], INSTALL_TIMEOUT_MS)
  const installed = await run(join(ENVIRONMENT, "bin/pip"), ["install", "-q", ...PACKAGES], INSTALL_TIMEOUT_MS)
  if (made.code !== 0 || installed.code !== 0) throw new Error(`cannot install cqlsh: ${made.stderr}${installed.stderr}`)
  writeFileSync(COMPLETE, PACKAGES.join("\n") + "\n")
}

/** cqlsh without colours against one node; `input` are its commands. */
export function cqlsh(address: string, port: number, input: string): Promise<Output> {
  return run(join(ENVIRONMENT, "bin/cqlsh"), ["--no-color", address, String(port)], 60_000, input)
}

/** A Python program with the driver; `words` are its arguments. */
export function python(program: string, words: readonly string[]): Promise<Output> {
  return run(join(ENVIRONMENT, "bin/python"), ["-c", program, ...words], 60_000)
}

function run(command: string, words: readonly string[], timeoutMs: number, input = ""): Promise<Output> {
  return new Promise((resolve) => {
    const child = execFile(command, words, { timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, HOME: ENVIRONMENT } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : 1, stdout, stderr })
    })
    child.stdin?.end(input)
  })
}
