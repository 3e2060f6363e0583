// Lint as a test: what the linter cannot see.
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { expect, test } from "vitest"

const root = import.meta.dirname
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" })
  .split("\n")
  .filter((file) => file !== "" && existsSync(join(root, file)))
const sources = files.filter((file) => file.endsWith(".ts"))

/** Folders from top to bottom; a folder may import itself and what its entry lists. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "cluster-tests": ["node", "coordinator", "cql", "storage", "data", "runtime", "bench"],
  bench: ["node", "coordinator", "cql", "storage", "data", "runtime", "cluster-tests"],
  node: ["coordinator", "cql", "storage", "data", "runtime"],
  coordinator: ["cql", "data", "runtime"],
  storage: ["data", "runtime"],
  // The native protocol serves connections of the ByteListener port.
  cql: ["data", "runtime/pure.ts", "runtime/byte-listener.ts"],
  data: ["runtime/pure.ts"],
  runtime: [],
}
/** The coordinator and the storage see the ports of runtime, not their implementations. */
const PORTS_ONLY = new Set(["coordinator", "storage", "cql", "data"])

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8")
  return [...text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^"'\n]*?(?:from\s*)?["'](\.[^"']+)["']/g)].map((match) => normalize(join(dirname(file), match[1] as string)))
}

test("imports point down the list of folders", () => {
  const wrong: string[] = []
  for (const file of sources) {
    const folder = file.split("/")[0] as string
    const allowed = MAY_IMPORT[folder]
    if (allowed === undefined || file.endsWith(".test.ts") || file.endsWith(".bench.ts")) continue
    for (const target of importsOf(file)) {
      const fits = target.startsWith(folder + "/") || allowed.some((entry) => target === entry || target.startsWith(entry + "/"))
      // What only tests import may know the simulated ports.
      const isForTests = /\/testing(-[a-z]+)?\.ts$/.test(file) && target.startsWith("runtime/simulated/")
      const implementation = PORTS_ONLY.has(folder) && /^runtime\/(real|simulated)\//.test(target) && !isForTests
      if (!fits || implementation) wrong.push(`${file} imports ${target}`)
    }
  }
  expect(wrong).toEqual([])
})

test("at most two levels of folders", () => {
  const deep = sources.filter((file) => file.split("/").length > 3)
  expect(deep).toEqual([])
})

test("every source file is of a known folder or at the top", () => {
  const unknown = sources.filter((file) => file.includes("/") && MAY_IMPORT[file.split("/")[0] as string] === undefined)
  expect(unknown).toEqual([])
})

test("no default exports, no barrels, no unfinished marks", () => {
  const wrong: string[] = []
  for (const file of sources) {
    if (file === "tidy.test.ts") continue
    const text = readFileSync(join(root, file), "utf8")
    if (/^export default/m.test(text) && !/^vitest\..*config\.ts$/.test(file)) wrong.push(`${file}: default export`)
    if (/^export \*/m.test(text)) wrong.push(`${file}: barrel`)
    if (/\b(TODO|FIXME|XXX)\b/.test(text)) wrong.push(`${file}: unfinished mark`)
    if (/\b(test|it|describe)\b[\w.]*\.(only|skip|todo)\b/.test(text) && file.endsWith(".test.ts")) wrong.push(`${file}: focused or skipped test`)
  }
  expect(wrong).toEqual([])
})

test("files end with one newline and have no trailing blanks or tabs", () => {
  const wrong: string[] = []
  for (const file of files.filter((name) => /\.(ts|mjs|json|md|yaml|yml)$/.test(name) && !name.includes("testdata/") && name !== "package-lock.json")) {
    const text = readFileSync(join(root, file), "utf8")
    if (!text.endsWith("\n") || text.endsWith("\n\n")) wrong.push(`${file}: end`)
    if (/[ \t]+$/m.test(text)) wrong.push(`${file}: trailing blanks`)
    if (text.includes("\t")) wrong.push(`${file}: tab`)
  }
  expect(wrong).toEqual([])
})

test("the lock file names the optional packages of every platform, without which npm ci refuses it", () => {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as { packages: Record<string, { optionalDependencies?: Record<string, string> }> }
  const isNamed = (from: string, name: string): boolean => {
    if (packages[join(from, "node_modules", name)] !== undefined) return true
    return from !== "" && isNamed(from.slice(0, Math.max(0, from.lastIndexOf("node_modules/") - 1)), name)
  }
  const missing = Object.entries(packages).flatMap(([from, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {}).filter((name) => !isNamed(from, name)).map((name) => `${name} of ${from}`))
  expect(missing).toEqual([])
})
