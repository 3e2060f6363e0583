// LZ4 blocks (the format of the reference implementation's lz4_Block_format), compressed and decompressed by WebAssembly.
//
// A block is a row of sequences: a token (4 bits of literal count, 4 of match length less 4; 15 means that bytes follow
// which add up to the rest, the last of them not 255), the literals, and where the match begins: u16, little-endian, bytes back from here. The last
// sequence has literals only. A match may reach back into a dictionary: bytes that both sides know and that
// count as standing just before the block.
//
// Both loops copy 16 bytes at a time and so run past what they were asked for by up to 15: `SLACK` bytes behind both source and
// target are theirs. Lengths and offsets are checked against the true ends before anything is copied: whatever the
// source says, nothing outside [target, targetEnd + SLACK) is written, and the result says that the block is damaged.
import {
  type Code, type Label, type Locals, type WasmFunction, above, add, and, atLeast, below, block, branch, branchIf, constant, copy16, copy8,
  different, equal, equalBytes8, fill, isZero, load16, load32, load8, loop, multiply, or, returned, shiftLeft, shiftRight, store16, store32, store8,
  subtract, wasmFunction, wasmModule, when,
} from "./wasm-assembler.ts"

/** Bytes behind source and target that are read and written. */
export const SLACK = 32
/** Positions that the compressor remembers, by a hash of four bytes. */
const TABLE_BITS = 12
export const TABLE_BYTES = 4 << TABLE_BITS
const HASH_PRIME = 0x9e3779b1 | 0
const DAMAGED = -1
/** The format's rules for the end of a block: the last 5 bytes are literals, no match begins in the last 12. */
const LAST_LITERALS = 5
const LAST_MATCH = 12
const MAX_OFFSET = 0xffff
const MIN_MATCH = 4
/** The search for a match takes larger steps after every so many (as a power of two) fruitless ones. */
const SKIP_BITS = 6

/** Adds the bytes that continue a length of 15 to the local; `damaged` when the source ends. */
function longLength({ get, set, increase }: Bound<"length" | "at" | "byte" | "sourceEnd">, damaged: Label): Code {
  return loop((again) => [
    branchIf(damaged, atLeast(get("at"), get("sourceEnd"))),
    set("byte", load8(get("at"))),
    increase("at", constant(1)),
    increase("length", get("byte")),
    branchIf(again, equal(get("byte"), constant(255))),
  ])
}

/** The methods of Locals without their `this`. */
interface Bound<Name extends string> {
  get(name: Name): Code
  set(name: Name, value: Code): Code
  increase(name: Name, by: Code): Code
}
function bound<Name extends string>(locals: Locals<Name>): Bound<Name> {
  return { get: (name) => locals.get(name), set: (name, value) => locals.set(name, value), increase: (name, by) => locals.increase(name, by) }
}

/** Copies 16 bytes at a time from the local `from` to the local `to` until `to` is at or behind `end`; moves both. */
function copyUntil<Name extends string>({ get, increase }: Bound<Name>, to: Name, from: Name, end: Name): Code {
  return loop((again) => [
    copy16(get(to), get(from)),
    increase(to, constant(16)),
    increase(from, constant(16)),
    branchIf(again, below(get(to), get(end))),
  ])
}

/** decompress(source, sourceEnd, dictionary, target, targetEnd): bytes written, or DAMAGED. The dictionary ends where the target begins. */
const decompress: WasmFunction = wasmFunction(
  "decompress", ["at", "sourceEnd", "dictionary", "target", "targetEnd"], ["to", "token", "length", "byte", "from", "end", "offset"],
  (locals) => {
    const local = bound(locals)
    const { get, set, increase } = local
    return [
      block((damaged) => [
        set("to", get("target")),
        loop((nextSequence) => [
          branchIf(damaged, atLeast(get("at"), get("sourceEnd"))),
          set("token", load8(get("at"))),
          increase("at", constant(1)),
          set("length", shiftRight(get("token"), 4)),
          when(equal(get("length"), constant(15)), longLength(local, damaged)),
          branchIf(damaged, above(get("length"), subtract(get("sourceEnd"), get("at")))),
          branchIf(damaged, above(get("length"), subtract(get("targetEnd"), get("to")))),
          when(get("length"), [
            set("from", get("at")),
            set("end", add(get("to"), get("length"))),
            copyUntil(local, "to", "from", "end"),
            set("to", get("end")),
            increase("at", get("length")),
          ]),
          when(equal(get("at"), get("sourceEnd")), returned(subtract(get("to"), get("target")))),
          branchIf(damaged, below(subtract(get("sourceEnd"), get("at")), constant(2))),
          set("offset", load16(get("at"))),
          increase("at", constant(2)),
          branchIf(damaged, isZero(get("offset"))),
          branchIf(damaged, above(get("offset"), subtract(get("to"), get("dictionary")))),
          set("length", and(get("token"), constant(15))),
          when(equal(get("length"), constant(15)), longLength(local, damaged)),
          increase("length", constant(MIN_MATCH)),
          branchIf(damaged, above(get("length"), subtract(get("targetEnd"), get("to")))),
          set("from", subtract(get("to"), get("offset"))),
          set("end", add(get("to"), get("length"))),
          copyMatch(local),
          set("to", get("end")),
          branch(nextSequence),
        ]),
      ]),
      constant(DAMAGED),
    ]
  },
)

/** A match may overlap what it makes: then only as many bytes as lie between may be copied at a time. */
function copyMatch(local: Bound<"to" | "from" | "end" | "offset">): Code {
  const { get, increase } = local
  const bytes = (size: number, copy: Code): Code =>
    loop((again) => [copy, increase("to", constant(size)), increase("from", constant(size)), branchIf(again, below(get("to"), get("end")))])
  return when(
    atLeast(get("offset"), constant(16)),
    copyUntil(local, "to", "from", "end"),
    when(atLeast(get("offset"), constant(8)), bytes(8, copy8(get("to"), get("from"))), bytes(1, store8(get("to"), load8(get("from"))))),
  )
}

type Compressing = Bound<"source" | "start" | "sourceEnd" | "target" | "table" | "at" | "to" | "anchor" | "match" | "word" | "slot" | "length" | "token" | "from" | "end" | "step" | "tries">

/** Where a position is remembered. */
const slotOf = ({ get }: Pick<Bound<"table">, "get">, word: Code): Code => add(get("table"), shiftLeft(shiftRight(multiply(word, constant(HASH_PRIME)), 32 - TABLE_BITS), 2))

/** Finds a place from `at` on whose four bytes were seen before: sets `at` and `match`; leaves by `none` near the end. */
function findMatch(local: Compressing, none: Label): Code {
  const { get, set, increase } = local
  return [
    set("tries", constant(1 << SKIP_BITS)),
    set("step", constant(1)),
    loop((again) => [
      branchIf(none, above(add(get("at"), constant(LAST_MATCH)), get("sourceEnd"))),
      set("word", load32(get("at"))),
      set("slot", slotOf(local, get("word"))),
      set("match", add(get("source"), load32(get("slot")))),
      store32(get("slot"), subtract(get("at"), get("source"))),
      when(
        or(
          or(above(subtract(get("at"), get("match")), constant(MAX_OFFSET)), different(load32(get("match")), get("word"))),
          // An empty slot says 0, which is also the first position.
          equal(get("at"), get("match")),
        ),
        [increase("at", get("step")), set("step", shiftRight(get("tries"), SKIP_BITS)), increase("tries", constant(1)), branch(again)],
      ),
    ]),
  ]
}

/** Writes what a length has beyond 15, given as `length`. */
function writeLength({ get, set, increase }: Compressing): Code {
  return [
    loop((again) =>
      when(atLeast(get("length"), constant(255)), [
        store8(get("to"), constant(255)),
        increase("to", constant(1)),
        set("length", subtract(get("length"), constant(255))),
        branch(again),
      ]),
    ),
    store8(get("to"), get("length")),
    increase("to", constant(1)),
  ]
}

/** Writes the token's place and the literals [anchor, at). */
function writeLiterals(local: Compressing): Code {
  const { get, set, increase } = local
  return [
    set("token", get("to")),
    increase("to", constant(1)),
    set("length", subtract(get("at"), get("anchor"))),
    when(
      below(get("length"), constant(15)),
      store8(get("token"), shiftLeft(get("length"), 4)),
      [store8(get("token"), constant(0xf0)), set("length", subtract(get("length"), constant(15))), writeLength(local)],
    ),
    set("from", get("anchor")),
    set("end", add(get("to"), subtract(get("at"), get("anchor")))),
    when(below(get("to"), get("end")), copyUntil(local, "to", "from", "end")),
    set("to", get("end")),
  ]
}

/** Lengthens the match at `at` backwards into the literals, writes it, and moves `at` and `anchor` behind it. */
function writeMatch(local: Compressing): Code {
  const { get, set, increase } = local
  return [
    store16(get("to"), subtract(get("at"), get("match"))),
    increase("to", constant(2)),
    set("from", add(get("at"), constant(MIN_MATCH))),
    increase("match", constant(MIN_MATCH)),
    set("end", subtract(get("sourceEnd"), constant(LAST_LITERALS))),
    // Eight bytes at a time may run past `end`: that is cut afterwards.
    block((done) =>
      loop((again) => [
        branchIf(done, atLeast(get("from"), get("end"))),
        set("length", equalBytes8(get("from"), get("match"))),
        increase("from", get("length")),
        increase("match", get("length")),
        branchIf(again, equal(get("length"), constant(8))),
      ]),
    ),
    when(above(get("from"), get("end")), set("from", get("end"))),
    set("length", subtract(subtract(get("from"), get("at")), constant(MIN_MATCH))),
    when(
      below(get("length"), constant(15)),
      store8(get("token"), or(load8(get("token")), get("length"))),
      [store8(get("token"), or(load8(get("token")), constant(15))), set("length", subtract(get("length"), constant(15))), writeLength(local)],
    ),
    set("at", get("from")),
    set("anchor", get("from")),
  ]
}

/** prime(dictionary, end, table): makes the table that `compress` begins with, in which every second position of the dictionary is remembered. */
const prime: WasmFunction = wasmFunction("prime", ["source", "end", "table"], ["from"], (locals) => {
  const { get, set, increase } = bound(locals)
  return [
    fill(get("table"), constant(0), constant(TABLE_BYTES)),
    set("from", get("source")),
    block((done) =>
      loop((again) => [
        branchIf(done, above(add(get("from"), constant(MIN_MATCH)), get("end"))),
        store32(slotOf({ get }, load32(get("from"))), subtract(get("from"), get("source"))),
        increase("from", constant(2)),
        branch(again),
      ]),
    ),
    constant(0),
  ]
})

/**
 * compress(dictionary, source, sourceEnd, target, table): bytes written. The dictionary ends where the source begins; in
 * the code below `source` is where it begins. REQUIRES: a table as `prime` makes it; room for the worst case at the target.
 */
const compress: WasmFunction = wasmFunction(
  "compress", ["source", "start", "sourceEnd", "target", "table"], ["at", "to", "anchor", "match", "word", "slot", "length", "token", "from", "end", "step", "tries"],
  (locals) => {
    const local: Compressing = bound(locals)
    const { get, set } = local
    return [
      set("at", get("start")),
      set("anchor", get("start")),
      set("to", get("target")),
      block((rest) =>
        loop((again) => [
          findMatch(local, rest),
          // Backwards over literals that match as well.
          block((done) =>
            loop((back) => [
              branchIf(done, or(equal(get("at"), get("anchor")), equal(get("match"), get("source")))),
              branchIf(done, different(load8(subtract(get("at"), constant(1))), load8(subtract(get("match"), constant(1))))),
              set("at", subtract(get("at"), constant(1))),
              set("match", subtract(get("match"), constant(1))),
              branch(back),
            ]),
          ),
          writeLiterals(local),
          writeMatch(local),
          branchIf(rest, above(add(get("at"), constant(LAST_MATCH)), get("sourceEnd"))),
          // What lies just before is worth remembering too.
          store32(slotOf(local, load32(subtract(get("at"), constant(2)))), subtract(subtract(get("at"), constant(2)), get("source"))),
          branch(again),
        ]),
      ),
      set("at", get("sourceEnd")),
      writeLiterals(local),
      returned(subtract(get("to"), get("target"))),
      constant(0),
    ]
  },
)

export function lz4Program(): Uint8Array {
  return wasmModule([decompress, prime, compress], 4)
}
