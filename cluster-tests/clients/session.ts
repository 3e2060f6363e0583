// A cqlsh session as a golden file: what a user sees in a terminal, prompts and all. The file holds input and output:
//
//   cqlsh:ks> SELECT *          a prompt and what is typed, with its further lines
//      ... FROM t;
//
//    a | b                      what cqlsh answered, up to the next prompt
//
// Lines before the first prompt are a comment. UPDATE_GOLDENS=1 rewrites the answers: commit only what you can explain.
// CQLSH_PEER=address plays the sessions to a real Cassandra there (one node, so that replication factors become 1), for
// a comparison by hand.
import { readFileSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { expect } from "vitest"
import { interactiveCqlsh } from "./python.ts"

/** The address that sessions are played to instead of a cluster of ours. */
export const PEER = process.env["CQLSH_PEER"] ?? null

const PROMPT = /^cqlsh(?::(?:\w+|"\w+"))?> /
const FURTHER = "   ... "

/** Plays the session testdata/<name>.session and expects its answers. */
export async function playSession(name: string, address: string, port: number): Promise<void> {
  const file = resolve(import.meta.dirname, `testdata/${name}.session`)
  const golden = readFileSync(file, "utf8")
  const lines = golden.split("\n")
  const comment = lines.slice(0, lines.findIndex((line) => PROMPT.test(line)))
  const typed = inputs(lines)
  const peer = (text: string): string => (PEER === null ? text : text.replaceAll("'replication_factor': 3", "'replication_factor': 1"))
  const output = await interactiveCqlsh(PEER ?? address, port, peer(typed.map((unit) => unit.join("\n") + "\n").join("")))
  const text = [...comment, ...transcript(typed, output.stdout)].join("\n") + "\n"
  if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(file, text)
  else expect(text).toBe(peer(golden))
}

/** What is typed, statement by statement, each in its lines. */
function inputs(lines: readonly string[]): string[][] {
  const units: string[][] = []
  for (const line of lines) {
    if (PROMPT.test(line)) units.push([line.replace(PROMPT, "")])
    else if (line.startsWith(FURTHER)) units.at(-1)?.push(line.slice(FURTHER.length))
  }
  return units
}

/** cqlsh prints prompts but does not repeat what comes in: puts the two together. */
function transcript(typed: readonly (readonly string[])[], output: string): string[] {
  const parts = output.split(/(cqlsh(?::(?:\w+|"\w+"))?> )(?: *\.\.\. )*/).slice(1)
  const lines: string[] = []
  typed.forEach(([first = "", ...rest], index) => {
    const answer = (parts[2 * index + 1] ?? "(no answer)").trimEnd()
    lines.push((parts[2 * index] ?? "") + first, ...rest.map((line) => FURTHER + line), ...(answer === "" ? [] : answer.split("\n").map((line) => line.trimEnd())))
  })
  return lines
}
