// Answers of a server as the lines that golden files hold:
//
//   warning: ...                          before everything else
//   k int | v text                        columns and their types; an answer of rows
//   1 | 'a'                               a row; a line within a text is indented
//   ok                                    an answer of nothing
//   created table ks.t                    a schema change
//   keyspace ks                           USE
//   error invalid: ...                    with what else its code carries
import { CONSISTENCY, ERROR_CODE } from "../../cql/errors.ts"
import { FRAME_FLAG } from "../../cql/protocol/frame.ts"
import { OPCODE } from "../../cql/protocol/opcode.ts"
import { RESULT_KIND } from "../../cql/protocol/result-kind.ts"
import { METADATA_FLAG } from "../../cql/protocol/result-rows.ts"
import { type Answer, readString } from "../../cql/protocol/testing.ts"
import { ByteReader } from "../../data/bytes.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { type WireType, readWireType, wireTypeText, wireValueText } from "./wire-type.ts"

export interface AnswerText {
  readonly lines: readonly string[]
  readonly kind: "void" | "rows" | "schema" | "keyspace" | "prepared" | "error"
  /** Of rows: where the next page begins. */
  readonly pagingState: Buffer | null
  /** Of rows: [column][row]. */
  readonly rowCount: number
  readonly prepared: PreparedAnswer | null
}

export interface PreparedAnswer {
  readonly id: Buffer
  readonly resultMetadataId: Buffer
}

interface Column {
  readonly name: string
  readonly type: WireType
}

const NAME_OF_CODE = new Map<number, string>(Object.entries(ERROR_CODE).map(([name, code]) => [code, name]))
const NAME_OF_CONSISTENCY = new Map<number, string>(Object.entries(CONSISTENCY).map(([name, value]) => [value, name]))

export function answerText(answer: Answer): AnswerText {
  const reader = new ByteReader(answer.body)
  const warnings = (answer.flags & FRAME_FLAG.warning) === 0 ? [] : Array.from({ length: reader.uint16("count") }, () => `warning: ${readString(reader)}`)
  const text = answer.opcode === OPCODE.error ? errorText(reader) : resultText(reader)
  return { ...text, lines: [...warnings, ...text.lines] }
}

function plain(kind: AnswerText["kind"], line: string): AnswerText {
  return { kind, lines: [line], pagingState: null, rowCount: 0, prepared: null }
}

function resultText(reader: ByteReader): AnswerText {
  switch (reader.int32("kind")) {
    case RESULT_KIND.void:
      return plain("void", "ok")
    case RESULT_KIND.rows:
      return rowsText(reader)
    case RESULT_KIND.setKeyspace:
      return plain("keyspace", `keyspace ${readString(reader)}`)
    case RESULT_KIND.prepared:
      return preparedText(reader)
    case RESULT_KIND.schemaChange:
      return schemaText(reader)
    default:
      throw new Error("an unknown kind of result")
  }
}

function rowsText(reader: ByteReader): AnswerText {
  const { columns, pagingState } = readMetadata(reader)
  const lines = [columnsText(columns)]
  const rowCount = reader.int32("count")
  for (let row = 0; row < rowCount; row++) lines.push(columns.map(({ type }) => wireValueText(type, readBytes(reader))).join(" | ").replaceAll("\n", "\n    "))
  return { kind: "rows", lines, pagingState, rowCount, prepared: null }
}

function columnsText(columns: readonly Column[]): string {
  return columns.map(({ name, type }) => `${name} ${wireTypeText(type)}`).join(" | ")
}

function readMetadata(reader: ByteReader): { columns: Column[]; pagingState: Buffer | null } {
  const flags = reader.int32("flags")
  const count = reader.int32("count")
  const pagingState = (flags & METADATA_FLAG.hasMorePages) === 0 ? null : readBytes(reader)
  if ((flags & METADATA_FLAG.metadataChanged) !== 0) reader.skip(reader.uint16("id"), "id")
  return { columns: (flags & METADATA_FLAG.noMetadata) === 0 ? readColumns(reader, flags, count) : [], pagingState }
}

function readColumns(reader: ByteReader, flags: number, count: number): Column[] {
  const isGlobal = (flags & METADATA_FLAG.globalTablesSpec) !== 0
  const skipTable = (): void => {
    readString(reader)
    readString(reader)
  }
  if (isGlobal) skipTable()
  return Array.from({ length: count }, () => {
    if (!isGlobal) skipTable()
    return { name: readString(reader), type: readWireType(reader) }
  })
}

/** Bind variables, which of them are the partition key, and what the rows will be. */
function preparedText(reader: ByteReader): AnswerText {
  const id = reader.bytes(reader.uint16("size"), "id")
  const resultMetadataId = reader.bytes(reader.uint16("size"), "id")
  const flags = reader.int32("flags")
  const count = reader.int32("count")
  const keys = Array.from({ length: reader.int32("count") }, () => reader.uint16("index"))
  const variables = count === 0 ? [] : readColumns(reader, flags, count)
  const { columns } = readMetadata(reader)
  const lines = [`binds ${variables.length === 0 ? "nothing" : columnsText(variables)}${keys.length === 0 ? "" : `, key ${keys.join(" ")}`}`]
  if (columns.length > 0) lines.push(`gives ${columnsText(columns)}`)
  return { kind: "prepared", lines, pagingState: null, rowCount: 0, prepared: { id, resultMetadataId } }
}

function schemaText(reader: ByteReader): AnswerText {
  const change = readString(reader).toLowerCase()
  const target = readString(reader)
  const keyspace = readString(reader)
  return plain("schema", `${change} ${target.toLowerCase()} ${target === "KEYSPACE" ? keyspace : `${keyspace}.${readString(reader)}`}`)
}

function errorText(reader: ByteReader): AnswerText {
  const code = reader.int32("code")
  const message = readString(reader)
  const fields = errorFields(code, reader)
  const line = `error ${NAME_OF_CODE.get(code) ?? code}: ${message}${fields.length === 0 ? "" : ` (${fields.join(", ")})`}`
  return plain("error", line.replaceAll("\n", "\n    "))
}

function errorFields(code: number, reader: ByteReader): string[] {
  const consistency = (): string => NAME_OF_CONSISTENCY.get(reader.uint16("consistency")) ?? "?"
  const counts = (): string[] => [consistency(), `received ${reader.int32("received")}`, `required ${reader.int32("required")}`]
  switch (code) {
    case ERROR_CODE.unavailable:
      return [consistency(), `required ${reader.int32("required")}`, `alive ${reader.int32("alive")}`]
    case ERROR_CODE.writeTimeout:
      return [...counts(), readString(reader)]
    case ERROR_CODE.readTimeout:
      return [...counts(), reader.uint8("data present") === 0 ? "without data" : "with data"]
    case ERROR_CODE.alreadyExists:
      return [`keyspace '${readString(reader)}'`, `table '${readString(reader)}'`]
    default:
      return []
  }
}

function readBytes(reader: ByteReader): Buffer | null {
  const size = reader.int32("size")
  return size < 0 ? null : reader.bytes(size, "value")
}
