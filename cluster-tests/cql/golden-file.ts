// The form of a golden file: cases with a blank line between them.
//
//   # Why the case exists.
//   cql node=2 page=10
//   INSERT INTO t (k) VALUES (1);
//   SELECT * FROM t
//   ----
//   ok
//   k int
//   1
//
// 1. The first line is a command with arguments, then comes its input, ----, and what is expected.
// 2. `cql` takes statements, each up to a semicolon at the end of a line; a batch goes to its APPLY BATCH. The expected
//    lines of all follow one another.
// 3. A file that starts with `cluster nodes=3 rf=3` runs on such a cluster only; the others run wherever they can.
import { readFileSync, readdirSync, writeFileSync } from "node:fs"

export interface GoldenCase {
  /** Lines with #, each with its line feed. */
  readonly comment: string
  readonly command: string
  readonly arguments: ReadonlyMap<string, string>
  /** As it stands in the file: command and arguments. */
  readonly head: string
  readonly input: string
  readonly expected: string
  /** Of the command, from 1. */
  readonly line: number
}

export interface GoldenFile {
  readonly name: string
  readonly url: URL
  readonly cases: readonly GoldenCase[]
  /** Null: any cluster will do. */
  readonly cluster: { readonly nodes: number; readonly replicationFactor: number } | null
}

const FOLDER = new URL("./", import.meta.url)

export function goldenFiles(): GoldenFile[] {
  return readdirSync(FOLDER).filter((name) => name.endsWith(".txt")).toSorted().map((name) => readGoldenFile(name))
}

function readGoldenFile(name: string): GoldenFile {
  const url = new URL(name, FOLDER)
  const cases: GoldenCase[] = []
  let line = 1
  for (const block of readFileSync(url, "utf8").split(/\n\n+/)) {
    if (block.trim() !== "") cases.push(parseCase(block.replace(/\n$/, ""), name, line))
    line += block.split("\n").length + 1
  }
  const first = cases[0]
  const cluster = first?.command === "cluster" ? { nodes: numberOf(first, "nodes", 1), replicationFactor: numberOf(first, "rf", 1) } : null
  return { name, url, cases, cluster }
}

function parseCase(block: string, file: string, firstLine: number): GoldenCase {
  const lines = block.split("\n")
  const commentCount = lines.findIndex((text) => !text.startsWith("#"))
  if (commentCount < 0) return { comment: block, command: "", arguments: new Map(), head: "", input: "", expected: "", line: firstLine }
  const head = lines[commentCount] as string
  const divider = lines.indexOf("----")
  if (divider < 0) throw new Error(`${file}:${firstLine}: a case without ----`)
  const [command, ...words] = head.split(/ +/) as [string, ...string[]]
  return {
    comment: lines.slice(0, commentCount).map((text) => text + "\n").join(""),
    command,
    arguments: new Map(words.map((word) => (word.includes("=") ? (word.split(/=(.*)/s).slice(0, 2) as [string, string]) : [word, ""]))),
    head,
    input: lines.slice(commentCount + 1, divider).join("\n"),
    expected: lines.slice(divider + 1).join("\n"),
    line: firstLine + commentCount,
  }
}

export function numberOf({ arguments: given }: GoldenCase, name: string, usual: number): number {
  return given.has(name) ? Number(given.get(name)) : usual
}

export function writeGoldenFile(file: GoldenFile, outputs: readonly string[]): void {
  const blocks = file.cases.map((one, index) => {
    if (one.command === "") return one.comment
    return [one.comment + one.head, ...(one.input === "" ? [] : [one.input]), "----", ...(outputs[index] === "" ? [] : [outputs[index]])].join("\n")
  })
  writeFileSync(file.url, blocks.join("\n\n") + "\n")
}

/** The statements of an input. */
export function statementsOf(input: string): string[] {
  const statements: string[] = []
  let lines: string[] = []
  for (const line of input.split("\n")) {
    lines.push(line)
    const text = lines.join("\n")
    if (!line.endsWith(";") || (/^BEGIN\b/i.test(text) && !/APPLY BATCH;$/i.test(text))) continue
    statements.push(text.slice(0, -1))
    lines = []
  }
  if (lines.length > 0) statements.push(lines.join("\n"))
  return statements
}
