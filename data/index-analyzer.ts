// What the options of a storage-attached index do to a text before it is compared: `case_sensitive`: false folds case,
// `normalize` composes characters (NFC), `ascii` writes characters that have an ASCII form in it.
import { Buffer } from "../runtime/pure.ts"
import type { IndexSchema } from "./schema.ts"

/** Letters that do not decompose into an ASCII letter and marks. */
const FOLDED: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ß: "ss", ẞ: "SS", æ: "ae", Æ: "AE", œ: "oe", Œ: "OE", ø: "o", Ø: "O", đ: "d", Đ: "D", ð: "d", Ð: "D", ł: "l", Ł: "L", þ: "th", Þ: "TH", ħ: "h", Ħ: "H",
    ı: "i", ĸ: "q", ŋ: "n", Ŋ: "N", ŧ: "t", Ŧ: "T", ſ: "s", ƒ: "f", "‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "«": '"', "»": '"', "…": "...",
  }),
)
const MARKS = /\p{Mn}+/gu
const ASCII_ONLY = /^\p{ASCII}*$/u

/** The term to compare; `term` itself when the index takes it as it is. */
export function analyze({ analyzer }: Pick<IndexSchema, "analyzer">, term: Uint8Array): Uint8Array {
  if (analyzer === null) return term
  let text = Buffer.from(term).toString("utf8")
  if (!analyzer.caseSensitive) text = text.toLowerCase()
  if (analyzer.normalize) text = text.normalize("NFC")
  if (analyzer.ascii) text = foldToAscii(text)
  return Buffer.from(text, "utf8")
}

function foldToAscii(text: string): string {
  if (ASCII_ONLY.test(text)) return text
  let folded = ""
  for (const character of text) {
    const plain = FOLDED.get(character) ?? character.normalize("NFKD").replace(MARKS, "")
    folded += ASCII_ONLY.test(plain) ? plain : character
  }
  return folded
}
