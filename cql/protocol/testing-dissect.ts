// Frames as annotated hexdumps: every field on a line of its own, with its offset, its bytes and what they mean. Written
// against the specification and not with the codecs of this folder, so that a golden file is a second opinion.
import { assert, Buffer } from "../../runtime/pure.ts"

const BYTES_PER_LINE = 12
const OPCODES = [
  "ERROR", "STARTUP", "READY", "AUTHENTICATE", "CREDENTIALS", "OPTIONS", "SUPPORTED", "QUERY", "RESULT", "PREPARE", "EXECUTE", "REGISTER",
  "EVENT", "BATCH",
]
const CONSISTENCIES = [
  "ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "SERIAL", "LOCAL_SERIAL", "LOCAL_ONE",
]
const RESULT_KINDS = ["", "Void", "Rows", "Set_keyspace", "Prepared", "Schema_change"]

class Dissector {
  readonly #bytes: Buffer
  readonly lines: string[] = []
  at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get rest(): number {
    return this.#bytes.length - this.at
  }
  field(size: number, meaning: string): Buffer {
    assert(size <= this.rest, `${meaning} needs ${size} bytes, ${this.rest} are left`)
    const field = this.#bytes.subarray(this.at, this.at + size)
    for (let from = 0; from === 0 || from < size; from += BYTES_PER_LINE) {
      const hex = (field.subarray(from, from + BYTES_PER_LINE).toString("hex").match(/../g) ?? []).join(" ")
      const offset = (this.at + from).toString().padStart(5)
      this.lines.push(`${offset}  ${hex.padEnd(BYTES_PER_LINE * 3 - 1)}  ${from === 0 ? meaning : ""}`.trimEnd())
    }
    this.at += size
    return field
  }
  #number(size: number, meaning: (value: number) => string): number {
    assert(size <= this.rest, `a number needs ${size} bytes, ${this.rest} are left`)
    const value = this.#bytes.readIntBE(this.at, size)
    this.field(size, meaning(value))
    return value
  }
  byte(name: string, tell: (value: number) => string = String): number {
    return this.#number(1, (value) => `${name}: ${tell(value & 0xff)}`) & 0xff
  }
  short(name: string, tell: (value: number) => string = String): number {
    return this.#number(2, (value) => `${name}: ${tell(value & 0xffff)}`) & 0xffff
  }
  int(name: string, tell: (value: number) => string = String): number {
    return this.#number(4, (value) => `${name}: ${tell(value)}`)
  }
  flags(size: 1 | 4, name: string, bits: readonly string[]): number {
    return this.#number(size, (value) => {
      const set = bits.filter((_, i) => (value & (1 << i)) !== 0)
      return `${name}: ${set.length === 0 ? "none" : set.join(", ")}`
    })
  }
  string(name: string): string {
    const size = this.short(name + ", size")
    const text = this.#bytes.toString("utf8", this.at, this.at + size)
    this.field(size, `${name}: "${text}"`)
    return text
  }
  longString(name: string): void {
    const size = this.int(name + ", size")
    this.field(size, `${name}: "${this.#bytes.toString("utf8", this.at, this.at + size)}"`)
  }
  bytes(name: string): void {
    const size = this.int(name + ", size", (value) => (value === -1 ? "-1, null" : value === -2 ? "-2, not set" : String(value)))
    if (size > 0) this.field(size, name)
  }
  shortBytes(name: string): void {
    this.field(this.short(name + ", size"), name)
  }
  stringList(name: string): void {
    const count = this.short(name + ", count")
    for (let i = 0; i < count; i++) this.string(name)
  }
  consistency(name = "consistency"): void {
    this.short(name, (value) => CONSISTENCIES[value] ?? "?")
  }
  inet(name: string, withPort: boolean): void {
    this.field(this.byte(name + ", size"), name)
    if (withPort) this.int("port")
  }
}

/** One frame of v3, v4 or v5, which must be all of `bytes`, field by field. */
export function dissectFrame(bytes: Buffer): string[] {
  const d = new Dissector(bytes)
  const version = d.byte("version", (value) => `${value & 0x7f}, ${value > 0x7f ? "response" : "request"}`) & 0x7f
  const flags = d.flags(1, "flags", ["compressed", "tracing", "custom payload", "warning", "use beta"])
  d.field(2, `stream: ${bytes.readInt16BE(2)}`)
  const opcode = d.byte("opcode", (value) => OPCODES[value] ?? "?")
  const size = d.int("length")
  assert(size === d.rest, `the length is ${size}, ${d.rest} bytes follow`)
  const isResponse = (bytes[0] as number) > 0x7f
  if ((flags & 2) !== 0 && isResponse) d.field(16, "tracing id")
  if ((flags & 8) !== 0) d.stringList("warning")
  dissectBody(d, OPCODES[opcode] ?? "?", version)
  assert(d.rest === 0, `${d.rest} bytes are left over`)
  return d.lines
}

function dissectBody(d: Dissector, opcode: string, version: number): void {
  switch (opcode) {
    case "STARTUP": {
      const count = d.short("options")
      for (let i = 0; i < count; i++) {
        d.string("key")
        d.string("value")
      }
      return
    }
    case "SUPPORTED": {
      const count = d.short("options")
      for (let i = 0; i < count; i++) d.stringList(d.string("key"))
      return
    }
    case "REGISTER":
      return d.stringList("event type")
    case "QUERY":
      d.longString("query")
      return dissectParameters(d, version)
    case "PREPARE":
      d.longString("query")
      if (version >= 5 && (d.flags(4, "flags", ["keyspace"]) & 1) !== 0) d.string("keyspace")
      return
    case "EXECUTE":
      d.shortBytes("id")
      if (version >= 5) d.shortBytes("result metadata id")
      return dissectParameters(d, version)
    case "BATCH":
      return dissectBatch(d, version)
    case "ERROR":
      return dissectError(d, version)
    case "EVENT":
      return dissectEvent(d, version)
    case "RESULT":
      return dissectResult(d, version)
  }
}

function dissectParameters(d: Dissector, version: number): void {
  d.consistency()
  const flags = d.flags(version >= 5 ? 4 : 1, "flags", [
    "values", "skip metadata", "page size", "paging state", "serial consistency", "default timestamp", "names for values", "keyspace", "now in seconds",
  ])
  if ((flags & 0x01) !== 0) dissectValues(d, (flags & 0x40) !== 0)
  if ((flags & 0x04) !== 0) d.int("page size")
  if ((flags & 0x08) !== 0) d.bytes("paging state")
  if ((flags & 0x10) !== 0) d.consistency("serial consistency")
  if ((flags & 0x20) !== 0) d.field(8, "default timestamp")
  if ((flags & 0x80) !== 0 && version >= 5) d.string("keyspace")
  if ((flags & 0x100) !== 0) d.int("now in seconds")
}

function dissectValues(d: Dissector, named: boolean): void {
  const count = d.short("values")
  for (let i = 0; i < count; i++) {
    if (named) d.string("name")
    d.bytes("value " + i)
  }
}

function dissectBatch(d: Dissector, version: number): void {
  d.byte("type", (value) => ["LOGGED", "UNLOGGED", "COUNTER"][value] ?? "?")
  const count = d.short("queries")
  for (let i = 0; i < count; i++) {
    if (d.byte("kind", (value) => (value === 0 ? "query" : "prepared")) === 0) d.longString("query")
    else d.shortBytes("id")
    dissectValues(d, false)
  }
  dissectParameters(d, version)
}

function dissectError(d: Dissector, version: number): void {
  const code = d.int("code", (value) => "0x" + value.toString(16).padStart(4, "0"))
  d.string("message")
  const counts = (second: string, third: string) => {
    d.consistency()
    d.int(second)
    d.int(third)
  }
  const failures = () => {
    const count = d.int("failures")
    if (version >= 5) {
      for (let i = 0; i < count; i++) {
        d.inet("replica", false)
        d.short("reason")
      }
    }
  }
  if (code === 0x1000) counts("required", "alive")
  if (code === 0x1100 || code === 0x1200 || code === 0x1300 || code === 0x1500 || code === 0x1700) counts("received", "required")
  if (code === 0x1300 || code === 0x1500) failures()
  if ((code === 0x1100 || code === 0x1500) && d.string("write type") === "CAS" && version >= 5 && code === 0x1100) d.short("contentions")
  if (code === 0x1200 || code === 0x1300) d.byte("data present")
  if (code === 0x2400) {
    d.string("keyspace")
    d.string("table")
  }
  if (code === 0x2500) d.shortBytes("id")
}

function dissectEvent(d: Dissector, version: number): void {
  if (d.string("event") === "SCHEMA_CHANGE") return dissectSchemaChange(d, version)
  d.string("change")
  d.inet("address", true)
}

function dissectSchemaChange(d: Dissector, version: number): void {
  d.string("change")
  const target = d.string("target")
  d.string("keyspace")
  if (target !== "KEYSPACE") d.string("name")
  if (version >= 4 && (target === "FUNCTION" || target === "AGGREGATE")) d.stringList("argument type")
}

function dissectResult(d: Dissector, version: number): void {
  switch (RESULT_KINDS[d.int("kind", (value) => RESULT_KINDS[value] ?? "?")]) {
    case "Rows": {
      const columns = dissectMetadata(d, version, false)
      const rows = d.int("rows")
      for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) d.bytes(`row ${row}, value ${column}`)
      return
    }
    case "Set_keyspace":
      d.string("keyspace")
      return
    case "Prepared":
      d.shortBytes("id")
      if (version >= 5) d.shortBytes("result metadata id")
      dissectMetadata(d, version, true)
      dissectMetadata(d, version, false)
      return
    case "Schema_change":
      return dissectSchemaChange(d, version)
  }
}

function dissectMetadata(d: Dissector, version: number, isBind: boolean): number {
  const title = isBind ? "bind variables" : "columns"
  const flags = d.flags(4, title + ", flags", ["global table", "more pages", "no metadata", "metadata changed"])
  const count = d.int(title)
  if (isBind && version >= 4) {
    const keys = d.int("partition key components")
    for (let i = 0; i < keys; i++) d.short("is bind variable")
  }
  if ((flags & 2) !== 0) d.bytes("paging state")
  if ((flags & 8) !== 0) d.shortBytes("new metadata id")
  if ((flags & 4) !== 0) return count
  if ((flags & 1) !== 0) dissectTable(d)
  for (let i = 0; i < count; i++) {
    if ((flags & 1) === 0) dissectTable(d)
    d.string("column")
    dissectType(d)
  }
  return count
}

function dissectTable(d: Dissector): void {
  d.string("keyspace")
  d.string("table")
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  0: "custom", 1: "ascii", 2: "bigint", 3: "blob", 4: "boolean", 5: "counter", 6: "decimal", 7: "double", 8: "float", 9: "int", 11: "timestamp",
  12: "uuid", 13: "varchar", 14: "varint", 15: "timeuuid", 16: "inet", 17: "date", 18: "time", 19: "smallint", 20: "tinyint", 21: "duration",
  32: "list of", 33: "map of", 34: "set of", 48: "user-defined type", 49: "tuple",
}

function dissectType(d: Dissector): void {
  const id = d.short("type", (value) => TYPE_NAMES[value] ?? "?")
  if (id === 0) d.string("class")
  if (id === 0x20 || id === 0x21 || id === 0x22) dissectType(d)
  if (id === 0x21) dissectType(d)
  if (id === 0x31) dissectTypes(d, d.short("elements"), false)
  if (id === 0x30) {
    d.string("keyspace")
    d.string("name")
    dissectTypes(d, d.short("fields"), true)
  }
}

function dissectTypes(d: Dissector, count: number, named: boolean): void {
  for (let i = 0; i < count; i++) {
    if (named) d.string("field")
    dissectType(d)
  }
}

/** One v5 segment, which must be all of `bytes`; its payload is not looked into. */
export function dissectSegment(bytes: Buffer, compressed: boolean): string[] {
  const d = new Dissector(bytes)
  const words = compressed ? BigInt(bytes.readUIntLE(0, 5)) : BigInt(bytes.readUIntLE(0, 3))
  const sent = Number(words & 0x1ffffn)
  const rest = Number(words >> 17n)
  const isSelfContained = ((compressed ? rest >> 17 : rest) & 1) === 1
  const plain = compressed ? `, ${rest & 0x1ffff} uncompressed` : ""
  d.field(compressed ? 5 : 3, `payload: ${sent} bytes${plain}; ${isSelfContained ? "self-contained" : "part of an envelope"}`)
  d.field(3, "CRC24 of the header")
  d.field(sent, "payload")
  d.field(4, "CRC32 of the payload")
  assert(d.rest === 0, `${d.rest} bytes are left over`)
  return d.lines
}

/** The bytes of a dump. */
export function bytesOfDump(lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((line) => line.slice(7, 7 + BYTES_PER_LINE * 3 - 1).replaceAll(" ", "")).join(""), "hex")
}
