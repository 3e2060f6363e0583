// A small assembler for WebAssembly: a program is written as nested calls (`set("at", add(get("at"), constant(1)))`) and
// becomes the bytes of a module when it is first needed. So the few loops that JavaScript runs several times too slowly
// live here as readable source, without a compiler to install, a build step or a binary in the repository.
//
// Just what those loops need: functions over 32-bit integers that share one exported memory, locals by name, structured
// control, and loads and stores of 1 to 16 bytes. Code is a tree; `emit` turns labels into the relative depths that
// the format wants. Nothing is checked here but names: the engine validates every module before it runs.

/** A label to branch to: the end of a `block`, the start of a `loop`. */
export class Label {}

interface Scope {
  readonly opcode: number
  readonly label: Label | null
  readonly body: Code
}
interface Branch {
  readonly to: Label
  readonly opcode: number
}
/** Instructions: opcodes and operands as bytes, and what contains labels. */
export type Code = number | Scope | Branch | readonly Code[]

const EMPTY = 0x40
const ELSE = 0x05
const END = 0x0b
const I32 = 0x7f

export const constant = (value: number): Code => [0x41, signed(value)]
export const returned = (value: Code): Code => [value, 0x0f]

export const add = (a: Code, b: Code): Code => [a, b, 0x6a]
export const subtract = (a: Code, b: Code): Code => [a, b, 0x6b]
export const multiply = (a: Code, b: Code): Code => [a, b, 0x6c]
export const and = (a: Code, b: Code): Code => [a, b, 0x71]
export const or = (a: Code, b: Code): Code => [a, b, 0x72]
export const shiftLeft = (a: Code, bits: number): Code => [a, constant(bits), 0x74]
/** Unsigned. */
export const shiftRight = (a: Code, bits: number): Code => [a, constant(bits), 0x76]

export const isZero = (a: Code): Code => [a, 0x45]
export const equal = (a: Code, b: Code): Code => [a, b, 0x46]
export const different = (a: Code, b: Code): Code => [a, b, 0x47]
/** Comparisons are unsigned. */
export const below = (a: Code, b: Code): Code => [a, b, 0x49]
export const above = (a: Code, b: Code): Code => [a, b, 0x4b]
export const atLeast = (a: Code, b: Code): Code => [a, b, 0x4f]

/** Loads are little-endian and need not be aligned. */
export const load8 = (address: Code): Code => [address, 0x2d, 0, 0]
export const load16 = (address: Code): Code => [address, 0x2f, 0, 0]
export const load32 = (address: Code): Code => [address, 0x28, 0, 0]
export const store8 = (address: Code, value: Code): Code => [address, value, 0x3a, 0, 0]
export const store16 = (address: Code, value: Code): Code => [address, value, 0x3b, 0, 0]
export const store32 = (address: Code, value: Code): Code => [address, value, 0x36, 0, 0]
/** Copies 8 bytes. */
export const copy8 = (to: Code, from: Code): Code => [to, from, 0x29, 0, 0, 0x37, 0, 0]
/** Copies 16 bytes. */
export const copy16 = (to: Code, from: Code): Code => [to, from, 0xfd, 0, 0, 0, 0xfd, 11, 0, 0]
/** How many of the 8 bytes at `a` and `b` are equal before the first that differs; 8 when all are. */
export const equalBytes8 = (a: Code, b: Code): Code => [a, 0x29, 0, 0, b, 0x29, 0, 0, 0x85, 0x7a, 0xa7, constant(3), 0x76]
export const fill = (at: Code, byte: Code, count: Code): Code => [at, byte, count, 0xfc, 11, 0]

export const when = (condition: Code, then: Code, otherwise: Code | null = null): Code => [
  condition, { opcode: 0x04, label: null, body: otherwise === null ? then : [then, ELSE, otherwise] },
]
export function block(body: (end: Label) => Code): Code {
  const label = new Label()
  return { opcode: 0x02, label, body: body(label) }
}
/** Runs once, and again when something branches to `again`. */
export function loop(body: (again: Label) => Code): Code {
  const label = new Label()
  return { opcode: 0x03, label, body: body(label) }
}
export const branch = (to: Label): Code => ({ to, opcode: 0x0c })
export const branchIf = (to: Label, condition: Code): Code => [condition, { to, opcode: 0x0d }]

/** The locals of a function by name. */
export class Locals<Name extends string> {
  readonly #names: readonly Name[]

  constructor(names: readonly Name[]) {
    this.#names = names
  }
  get(name: Name): Code {
    return [0x20, unsigned(this.#names.indexOf(name))]
  }
  set(name: Name, value: Code): Code {
    return [value, 0x21, unsigned(this.#names.indexOf(name))]
  }
  increase(name: Name, by: Code): Code {
    return this.set(name, add(this.get(name), by))
  }
}

export interface WasmFunction {
  readonly name: string
  readonly parameterCount: number
  readonly localCount: number
  readonly body: Code
}

/** A function from 32-bit integers to one. */
export function wasmFunction<P extends string, L extends string>(name: string, parameters: readonly P[], locals: readonly L[], body: (locals: Locals<P | L>) => Code): WasmFunction {
  return { name, parameterCount: parameters.length, localCount: locals.length, body: body(new Locals<P | L>([...parameters, ...locals])) }
}

/** The bytes of a module that exports the functions by name and its memory, of so many pages of 64 KiB at first, as `memory`. */
export function wasmModule(functions: readonly WasmFunction[], pages: number): Uint8Array {
  const types = functions.map(({ parameterCount }) => [0x60, ...vector(new Array<number[]>(parameterCount).fill([I32])), 1, I32])
  const exports = functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)])
  const bodies = functions.map(({ localCount, body }) => {
    const code = [1, ...unsigned(localCount), I32, ...emit(body, []), END]
    return [...unsigned(code.length), ...code]
  })
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, vector(types)), ...section(3, vector(functions.map((_, index) => unsigned(index)))), ...section(5, vector([[0, ...unsigned(pages)]])),
    ...section(7, vector([...exports, [...text("memory"), 2, 0]])), ...section(10, vector(bodies)),
  ])
}

function emit(code: Code, scopes: readonly (Label | null)[]): number[] {
  if (typeof code === "number") return [code]
  if ("to" in code) return [code.opcode, ...unsigned(scopes.length - 1 - scopes.lastIndexOf(code.to))]
  if ("opcode" in code) return [code.opcode, EMPTY, ...emit(code.body, [...scopes, code.label]), END]
  return code.flatMap((part) => emit(part, scopes))
}

function section(id: number, content: number[]): number[] {
  return [id, ...unsigned(content.length), ...content]
}
function vector(items: readonly number[][]): number[] {
  return [...unsigned(items.length), ...items.flat()]
}
function text(name: string): number[] {
  return vector([...name].map((character) => [character.charCodeAt(0)]))
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}
function signed(value: number): number[] {
  const rest = value >> 7
  const isLast = (rest === 0 && (value & 0x40) === 0) || (rest === -1 && (value & 0x40) !== 0)
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(rest)]
}
