// COMPAT.md and the golden files speak of the same differences, and the tests that it names are there.
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { goldenFiles } from "./golden-file.ts"

const ROOT = join(import.meta.dirname, "../..")
const [features = "", differences = ""] = readFileSync(join(ROOT, "COMPAT.md"), "utf8").split("\n## Differences\n")
/** Warnings that the oracle leaves out everywhere; no golden shows them. */
const EVERYWHERE = ["no-use-warning", "no-view-warning"]

function rows(table: string): string[][] {
  return table.split("\n").filter((line) => line.startsWith("| ")).slice(1).map((line) => line.split(" | ").map((cell) => cell.replaceAll(/^\| | \|$/g, "")))
}
const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string)

const listed = rows(differences).map(([name = ""]) => quoted(name)[0] as string)
const used = new Set(goldenFiles().flatMap(({ cases }) => cases.flatMap((one) => [one.arguments.get("differs"), one.arguments.get("apart")]).filter((name) => name !== undefined)))

test("every difference in a golden is listed, and every one that is listed is in a golden", () => {
  expect([...used, ...EVERYWHERE].toSorted()).toEqual(listed.toSorted())
})

test("every difference belongs to a feature", () => {
  const known = quoted(features)
  expect(listed.filter((name) => !known.includes(name) && name !== "syntax-wording" && name !== "equal-clusterings" && name !== "drop-base-message")).toEqual([])
})

test("the tests that features name exist", () => {
  const paths = rows(features).flatMap((cells) => quoted(cells.at(-1) ?? ""))
  expect(paths.length).toBeGreaterThan(50)
  const exists = (path: string): boolean => [`cluster-tests/cql/${path}`, `cluster-tests/${path}`, path].some((candidate) => existsSync(join(ROOT, candidate)))
  expect(paths.filter((path) => !exists(path))).toEqual([])
})

test("a feature is there, partly there, or not", () => {
  const answers = rows(features).filter(([name = ""]) => !name.startsWith("**")).map((cells) => cells[1])
  expect(answers.filter((answer) => !["yes", "partly", "no"].includes(answer ?? ""))).toEqual([])
})
