// The text of syntax errors, in the form Cassandra's parser gives it: position, what was found, what was expected, and
// the statement around it with the offending token in brackets.
import { SyntaxError } from "../errors.ts"
import type { Tokens } from "./tokens.ts"

/** `line 1:7`: lines from 1, columns from 0. */
export function position(source: string, at: number): string {
  let line = 1
  let lineStart = 0
  for (let newline = source.indexOf("\n"); newline >= 0 && newline < at; newline = source.indexOf("\n", newline + 1)) {
    line++
    lineStart = newline + 1
  }
  return `line ${line}:${at - lineStart}`
}

/** An error at token `index`: `problem` gets the token as messages quote it. */
export function syntaxError(tokens: Tokens, index: number, problem: (token: string) => string): SyntaxError {
  const start = tokens.starts[index] as number
  const token = index === tokens.kinds.length - 1 ? "<EOF>" : tokens.source.slice(start, tokens.ends[index])
  return new SyntaxError(`${position(tokens.source, start)} ${problem(token)}${snippet(tokens, index, token)}`)
}

/** Cassandra shows the ten tokens before the offending one, white space counted as tokens. */
const TOKENS_BEFORE = 10

function snippet(tokens: Tokens, index: number, token: string): string {
  let first = index
  let from = tokens.starts[index] as number
  for (let count = 0; first > 0 && count < TOKENS_BEFORE; count++) {
    const previousEnd = tokens.ends[first - 1] as number
    // White space first, then the token before it.
    if (from > previousEnd) from = previousEnd
    else from = tokens.starts[--first] as number
  }
  const start = tokens.starts[index] as number
  const end = tokens.ends[index] as number
  const before = tokens.source.slice(from, start).replaceAll("\n", "")
  return ` (${from === 0 ? "" : "..."}${before}[${token}]${end >= tokens.source.length ? "" : "..."})`
}
