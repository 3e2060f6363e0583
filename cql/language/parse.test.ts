// Golden files: statements and their trees, in testdata/. A case is the statement, ----, and the tree; lines with # before
// a case say why it is there. UPDATE_GOLDENS=1 rewrites the trees: commit only what you can explain.
import { readFileSync, writeFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { SyntaxError } from "../errors.ts"
import { parseStatement } from "./parse.ts"

const TESTDATA = new URL("testdata/", import.meta.url)

/** A tree as text: `kind(member=value, ...)`; what is null, false or empty is left out. */
function treeText(node: unknown): string {
  if (Array.isArray(node)) return `[${node.map(treeText).join(", ")}]`
  if (typeof node !== "object" || node === null) return JSON.stringify(node)
  const { kind, ...members } = node as Record<string, unknown>
  const shown = Object.entries(members).filter(([, value]) => value !== null && value !== false && !(Array.isArray(value) && value.length === 0))
  return `${typeof kind === "string" ? kind : ""}(${shown.map(([name, value]) => `${name}=${treeText(value)}`).join(", ")})`
}

/** The statement's members on a line each. */
function statementText(input: string): string {
  try {
    const { kind, ...members } = parseStatement(input)
    const text = treeText(members).slice(1, -1)
    return [kind, ...splitMembers(text)].join("\n  ")
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return error.message
  }
}

/** Cuts at the commas that stand in no bracket and no string. */
function splitMembers(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]()]|, /g)) {
    if (token === "(" || token === "[") depth++
    else if (token === ")" || token === "]") depth--
    else if (token === ", " && depth === 0) {
      parts.push(text.slice(start, index))
      start = index + 2
    }
  }
  return text === "" ? [] : [...parts, text.slice(start)]
}

interface Case {
  readonly comment: string
  readonly input: string
}

function casesOf(text: string): Case[] {
  const cases: Case[] = []
  for (const block of text.split(/\n\n+/)) {
    const lines = block.split("\n")
    const comments = lines.slice(0, lines.findIndex((line) => !line.startsWith("#")))
    const divider = lines.indexOf("----")
    const comment = comments.length === 0 ? "" : comments.join("\n") + "\n"
    if (divider >= 0) cases.push({ comment, input: lines.slice(comments.length, divider).join("\n") })
    else cases.push({ comment: block.trimEnd() + "\n", input: "" })
  }
  return cases
}

describe.each(["literals", "select", "modifications", "schema", "roles", "errors"])("%s", (name) => {
  test("gives the trees of the golden file", () => {
    const file = new URL(name + ".txt", TESTDATA)
    const golden = readFileSync(file, "utf8")
    const text = casesOf(golden).map(({ comment, input }) => (input === "" ? comment : `${comment}${input}\n----\n${statementText(input)}\n`)).join("\n")
    if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(file, text)
    expect(text).toBe(readFileSync(file, "utf8"))
    expect(text.includes("line ") || text.includes("Multiple"), "only the file of errors has errors").toBe(name === "errors")
  })
})

/** Parses; anything but a tree or a SyntaxError is a failure. */
function parses(text: string): boolean {
  try {
    parseStatement(text)
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

const STATEMENTS = ["literals", "select", "modifications", "schema", "roles", "errors"].flatMap((name) =>
  casesOf(readFileSync(new URL(name + ".txt", TESTDATA), "utf8")).map(({ input }) => input))
const PIECES = [...new Set(STATEMENTS.flatMap((text) => text.match(/\w+|'[^']*'|\s+|\S/g) ?? []))]

test("any text is a statement or a SyntaxError", () => {
  fc.assert(fc.property(fc.string({ unit: "binary-ascii", maxLength: 60 }), (text) => { parses(text) }), { seed: 1, numRuns: 1000 })
})

test("any words and signs of CQL are a statement or a SyntaxError", () => {
  fc.assert(fc.property(fc.array(fc.constantFrom(...PIECES), { maxLength: 30 }), (pieces) => { parses(pieces.join(" ")) }), { seed: 2, numRuns: 5000 })
})

test("a damaged statement is a statement or a SyntaxError", () => {
  const damaged = fc.tuple(fc.constantFrom(...STATEMENTS), fc.nat(), fc.nat(20), fc.constantFrom("", ...PIECES))
  fc.assert(fc.property(damaged, ([text, place, length, piece]) => {
    const at = place % (text.length + 1)
    parses(text.slice(0, at) + piece + text.slice(at + length))
  }), { seed: 3, numRuns: 10_000 })
})

test("long chains of operators are refused, not a broken stack", () => {
  const chains: ((links: number) => string)[] = [
    (links) => `INSERT INTO t (a) VALUES (1${"+1".repeat(links)})`,
    (links) => `INSERT INTO t (a) VALUES (1${"*1".repeat(links)})`,
    (links) => `SELECT a${" + a".repeat(links)} FROM t`,
    (links) => `SELECT a${" / a".repeat(links)} FROM t`,
    (links) => `SELECT a${".b".repeat(links)} FROM t`,
    (links) => `SELECT a${"[0]".repeat(links)} FROM t`,
    (links) => `SELECT ${"(a + ".repeat(20)}a${" + a".repeat(links)}${")".repeat(20)} FROM t`,
  ]
  for (const chain of chains) {
    expect(parses(chain(900)), chain(2)).toBe(true)
    expect(parses(chain(1001)), chain(2)).toBe(false)
  }
  // One behind the other they are as many as one likes.
  expect(parses(`INSERT INTO t (a) VALUES ([${Array.from({ length: 50 }, () => `1${"+1".repeat(500)}`).join(", ")}])`)).toBe(true)
})

test("deep nesting is refused, not a broken stack", () => {
  for (const [open, close] of [["(", ")"], ["[", "]"], ["{", "}"], ["- ", ""], ["f(", ")"], ["(int) ", ""], ["{a: ", "}"]] as const) {
    const nested = (depth: number): string => `INSERT INTO t (a) VALUES (${open.repeat(depth)}1${close.repeat(depth)})`
    expect(parses(nested(50)), open).toBe(true)
    expect(parses(nested(20_000)), open).toBe(false)
    expect(parses(`SELECT ${open.repeat(20_000)}a FROM t`), open).toBe(false)
    expect(parses(`SELECT * FROM t WHERE ${open.repeat(20_000)}a = 1`), open).toBe(false)
  }
  expect(parses(`CREATE TABLE t (a ${"frozen<list<".repeat(20_000)}int`)).toBe(false)
})

test("white space and comments change nothing", () => {
  const gap = fc.constantFrom(" ", "\n", "\t", " /* c */ ", " -- c\n", "//c\n", "\r\n")
  const words = "UPDATE ks . t SET a = ? , m [ 'k' ] = - 5 WHERE k IN ( 1 , 2 ) AND ( c , d ) > ( 3 , :x )".split(" ")
  const plain = JSON.stringify(parseStatement(words.join(" ")))
  fc.assert(fc.property(fc.array(gap, { minLength: words.length, maxLength: words.length }), (gaps) => {
    expect(JSON.stringify(parseStatement(words.map((word, index) => word + (gaps[index] ?? "")).join("")))).toBe(plain)
  }), { seed: 4, numRuns: 300 })
})
