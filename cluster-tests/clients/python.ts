// The real cqlsh and the Python driver, installed from Python's registry into a virtual environment under node_modules/.cache.
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { CQLSH_ENVIRONMENT } from "../../node/cqlsh.ts"

const ROOT = resolve(import.meta.dirname, "../..")
const ENVIRONMENT = join(ROOT, CQLSH_ENVIRONMENT)
const CQLSH = join(ENVIRONMENT, "bin/cqlsh")
const COMPLETE = join(ENVIRONMENT, "complete")
const PACKAGES = ["cqlsh==6.2.2", "cassandra-driver==3.30.1", "lz4==4.4.5", "python-snappy==0.7.3"]
const INSTALLED = PACKAGES.join("\n") + "\n"
const LOCK = ENVIRONMENT + ".lock"
const INSTALL_TIMEOUT_MS = 240_000
/** Nothing of this machine: no settings of the user's, one time zone, and output in the order in which it is printed. */
const VARIABLES = { HOME: ENVIRONMENT, TZ: "UTC", LC_ALL: "C.UTF-8", PYTHONUNBUFFERED: "1" }

export interface Output {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Installs once; later calls find it. REQUIRES: python3 with venv. */
export async function installPython(): Promise<void> {
  while (!isComplete()) {
    // Test files run at the same time: one installs, the others wait for it.
    if (!takeLock()) {
      await new Promise((resolve) => setTimeout(resolve, 200))
      continue
    }
    try {
      if (!isComplete()) await install()
    } finally {
      rmSync(LOCK, { force: true })
    }
  }
}

async function install(): Promise<void> {
  rmSync(ENVIRONMENT, { recursive: true, force: true })
  const commands = [["python3", "-m", "venv", ENVIRONMENT], [join(ENVIRONMENT, "bin/pip"), "install", "-q", ...PACKAGES]]
  for (const [command, ...words] of commands as [string, ...string[]][]) {
    const output = await run(command, words, INSTALL_TIMEOUT_MS)
    if (output.code !== 0) throw new Error(`cannot install cqlsh: ${command} ${words.join(" ")}: ${output.stderr}`)
  }
  writeFileSync(COMPLETE, INSTALLED)
}

function isComplete(): boolean {
  return existsSync(COMPLETE) && readFileSync(COMPLETE, "utf8") === INSTALLED
}

/** False while another process that lives has it. */
function takeLock(): boolean {
  mkdirSync(dirname(LOCK), { recursive: true })
  try {
    writeFileSync(LOCK, String(process.pid), { flag: "wx" })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  }
  try {
    process.kill(Number(readFileSync(LOCK, "utf8")), 0)
  } catch {
    rmSync(LOCK, { force: true })
  }
  return false
}

/** cqlsh without colours against one node; `input` are its commands, `words` further options. */
export function cqlsh(address: string, port: number, input: string, words: readonly string[] = []): Promise<Output> {
  return run(CQLSH, ["--no-color", ...words, address, String(port)], 60_000, input)
}

/** As in a terminal: `stdout` has the prompts, and errors where they came up. */
export function interactiveCqlsh(address: string, port: number, input: string): Promise<Output> {
  return run("sh", ["-c", 'exec "$0" "$@" 2>&1', CQLSH, "--no-color", "--tty", address, String(port)], 60_000, input)
}

/** A file with a Python program that uses the driver; `words` are its arguments. */
export function python(file: string, words: readonly string[]): Promise<Output> {
  return run(join(ENVIRONMENT, "bin/python"), [file, ...words], 60_000)
}

function run(command: string, words: readonly string[], timeoutMs: number, input = ""): Promise<Output> {
  return new Promise((resolve) => {
    const child = execFile(command, words, { timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, ...VARIABLES } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : 1, stdout, stderr })
    })
    child.stdin?.end(input)
  })
}
