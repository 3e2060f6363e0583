// `npm run cqlsh`: the real cqlsh with the words given, found on the path or in the cache where the tests install it.
import { spawn, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { resolve } from "node:path"

/** Where a virtual environment with cqlsh is kept, relative to the project. */
export const CQLSH_ENVIRONMENT = "node_modules/.cache/cqlsh"

export function findCqlsh(): string | null {
  const cached = resolve(CQLSH_ENVIRONMENT, "bin/cqlsh")
  if (existsSync(cached)) return cached
  return spawnSync("cqlsh", ["--version"], { stdio: "ignore" }).status === 0 ? "cqlsh" : null
}

/** Resolves with cqlsh's exit code. */
export async function runCqlsh(words: readonly string[]): Promise<number> {
  const cqlsh = findCqlsh()
  if (cqlsh === null) {
    process.stderr.write(`cqlsh is not installed: python3 -m venv ${CQLSH_ENVIRONMENT} && ${CQLSH_ENVIRONMENT}/bin/pip install cqlsh\n`)
    return 1
  }
  const child = spawn(cqlsh, words, { stdio: "inherit" })
  return new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("exit", (code) => resolve(code ?? 1))
  })
}
