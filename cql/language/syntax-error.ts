// The text of syntax errors, in the form Cassandra's parser gives it: position, what was found, what was expected, and
// the statement around it with a token in brackets: the offending one, or that at which the parser had to decide between
// ways none of which goes on.
import { SyntaxError } from "../errors.ts"
import { TOKEN, type Tokens } from "./tokens.ts"

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

/** An error at token `index`: `problem` gets the token as messages quote it. `decision`: the token in brackets. The end has no place. */
export function syntaxError(tokens: Tokens, index: number, problem: (token: string) => string, decision = index): SyntaxError {
  if (index === tokens.kinds.length - 1) return new SyntaxError(`line 0:-1 ${problem("<EOF>")}`)
  const start = tokens.starts[index] as number
  return new SyntaxError(`${position(tokens.source, start)} ${problem(tokenText(tokens, index))}${snippet(tokens, decision, index)}`)
}

/** Strings and quoted names without their quotes, as Cassandra's lexer makes them. */
function tokenText(tokens: Tokens, index: number): string {
  const kind = tokens.kinds[index]
  if ((kind === TOKEN.string || kind === TOKEN.quoted) && tokens.texts[index] !== "") return tokens.texts[index] as string
  return tokens.source.slice(tokens.starts[index], tokens.ends[index])
}

/** Cassandra shows the ten tokens before the one in brackets, white space counted as tokens. */
const TOKENS_BEFORE = 10

function snippet(tokens: Tokens, index: number, offending: number): string {
  let first = index
  let from = tokens.starts[index] as number
  for (let count = 0; first > 0 && count < TOKENS_BEFORE; count++) {
    const previousEnd = tokens.ends[first - 1] as number
    // White space first, then the token before it.
    if (from > previousEnd) from = previousEnd
    else from = tokens.starts[--first] as number
  }
  const start = tokens.starts[index] as number
  // As many characters as the text has: quotes are counted as if they were not there.
  const bracketEnd = start + tokenText(tokens, index).length
  const end = shownEnd(tokens, index, offending, bracketEnd)
  const before = tokens.source.slice(from, start).replaceAll("\n", "")
  return ` (${from === 0 ? "" : "..."}${before}[${tokens.source.slice(start, bracketEnd)}]${tokens.source.slice(bracketEnd, end)}${end >= tokens.source.length ? "" : "..."})`
}

/** Behind brackets that are not at the offending token stand the tokens up to it, two at most, white space counted. */
function shownEnd(tokens: Tokens, index: number, offending: number, bracketEnd: number): number {
  if (offending === index) return bracketEnd
  const hasSpace = (tokens.starts[index + 1] as number) > (tokens.ends[index] as number)
  const last = Math.min(index + (hasSpace ? 1 : 2), offending, tokens.kinds.length - 2)
  return (tokens.starts[last] as number) + tokenText(tokens, last).length
}
