// Statements nobody would write, made from those of the golden files: the corpus knows the grammar and the tables, the
// damage is done to tokens, so that most of what comes out gets past the lexer and much of it past the parser.
import type { Random } from "../../runtime/random.ts"
import { type GoldenFile, statementsOf } from "./golden-file.ts"

/** What leaves nothing behind to damage. */
const LAST_WORD = /\bDROP\s+KEYSPACE\b/i
const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$[^$]*\$\$|0x[0-9a-fA-F]+|[A-Za-z_]\w*|\d+(?:\.\d+)?|\s+|./gs

/** What stands in for any other token: literals of other types, words that open something, and the ends of ranges. */
const STRANGERS = [
  "NULL", "''", "'x'", "0x", "0x00ff", "1", "-1", "0", "1.5", "-0.0", "NaN", "Infinity", "9223372036854775807", "-9223372036854775809", "1e400", "99999999999999999999999999",
  "true", "1h30m", "P1Y", "c0ffee00-0000-1000-8000-000000000000", "'2020-01-01'", "'10.0.0.1'", "(", ")", "[", "]", "{", "}", "<", ">", ",", ":", ";", ".", "=", "!=", "*", "?", ":m", "+", "-", "/", "%",
  "[1, 2]", "{1: 2}", "{a: 1}", "(1, 'a')", "now()", "token(k)", "count(*)", "cast(k AS text)", "writetime(v)", "(int)", "k", "v", "\"K\"", "ks", "system", "SELECT", "FROM", "WHERE", "IN", "AND",
  "CONTAINS", "KEY", "LIKE", "IS NOT NULL", "ORDER BY", "LIMIT", "ALLOW FILTERING", "GROUP BY", "PER PARTITION LIMIT", "DISTINCT", "JSON", "IF", "EXISTS", "NOT", "USING TTL", "TIMESTAMP", "BATCH",
  "static", "frozen<", "list<int>", "map<text, frozen<set<int>>>", "vector<float, 3>", "counter", "duration", "PRIMARY KEY", "WITH", "--", "/*", "'", "\"", "$$", "\u0000", "\u{1f600}",
]

export class StatementFuzzer {
  readonly #corpus: readonly (readonly string[])[]

  constructor(files: readonly GoldenFile[]) {
    this.#corpus = files
      .flatMap(({ cases }) => cases)
      .filter(({ command }) => command === "cql" || command === "prepare")
      .flatMap(({ input }) => statementsOf(input.split("\n").filter((line) => !line.startsWith("with ")).join("\n")))
      // Those that are long say the same thing often.
      .filter((text) => text.length < 2000 && !LAST_WORD.test(text))
      .map(tokens)
  }

  /** `base`: what is to be damaged; any statement of the corpus when it is null. */
  next(random: Random, base: string | null): string {
    let words = base === null ? this.#any(random) : tokens(base)
    for (let count = 1 + random.below(2); count > 0; count--) words = this.#damaged(random, words)
    return words.join("")
  }

  #damaged(random: Random, words: readonly string[]): readonly string[] {
    const at = random.below(words.length + 1)
    const length = random.below(5)
    const rest = words.slice(at)
    switch (random.below(10)) {
      case 0:
        return [...words.slice(0, at), ...words.slice(at + 1)]
      case 1:
        return [...words.slice(0, at), pick(random, STRANGERS), ...words.slice(at + 1)]
      case 2:
        return [...words.slice(0, at), " ", pick(random, STRANGERS), " ", ...rest]
      case 3:
        return [...words.slice(0, at), ...words.slice(at, at + length), ...rest]
      case 4: {
        const other = this.#any(random)
        return [...words.slice(0, at), " ", ...other.slice(random.below(other.length))]
      }
      case 5: {
        const other = this.#any(random)
        return [...words.slice(0, at), pick(random, other), ...words.slice(at + 1)]
      }
      case 6:
        return words.slice(0, at)
      case 7: {
        const word = words[at] ?? ""
        const cut = random.below(word.length + 1)
        return [...words.slice(0, at), word.slice(0, cut) + String.fromCharCode(random.below(random.below(4) === 0 ? 0x10000 : 128)) + word.slice(cut + 1), ...words.slice(at + 1)]
      }
      case 8:
        return [...words.slice(0, at), rest[1] ?? "", rest[0] ?? "", ...rest.slice(2)]
      default: {
        // Deep and long: one in thousands, since each costs as much as hundreds of others.
        if (random.below(100) > 0) return words
        const open = pick(random, ["(", "[", "{", "frozen<", "- ", "((int)", "abs(", "a.", "[0]", ".f", "a,", "1+", "+1", "*k", " AND k = 1", " IN"])
        return [...words.slice(0, at), open.repeat(1 + random.below(20_000)), ...rest]
      }
    }
  }

  #any(random: Random): readonly string[] {
    return pick(random, this.#corpus)
  }
}

function tokens(text: string): string[] {
  return text.match(TOKEN) ?? [""]
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)] as T
}
