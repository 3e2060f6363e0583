// USING TIMESTAMP and USING TTL of one statement: constants or bound values, with the table's default time to live.
import { type Buffer, assert } from "../../runtime/pure.ts"
import { isCounterTable } from "../../data/counters.ts"
import type { TableSchema } from "../../data/schema.ts"
import { MIN_HIGH, MIN_LOW } from "../../data/timestamp.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import type { UsingClause } from "../language/ast-dml.ts"
import type { EncodeContext } from "../plan.ts"
import type { BoundValues } from "../request.ts"
import { compileTerm } from "../statements/compile-term.ts"
import { type CompiledTerm, type TermContext, UNSET } from "../statements/term.ts"

/** 20 years. */
const MAX_TTL_SECONDS = 630_720_000

/** When and for how long a statement writes. */
export interface WriteTime {
  readonly timestampHigh: number
  readonly timestampLow: number
  /** 0: does not expire. */
  readonly ttlSeconds: number
  readonly nowSeconds: number
}

export class WriteAttributes {
  readonly #timestamp: CompiledTerm | null
  readonly #timeToLive: CompiledTerm | null
  readonly #defaultTtlSeconds: number

  constructor(using: UsingClause, table: TableSchema, context: TermContext) {
    const receiver = (name: string, type: "bigint" | "int") => ({ keyspace: table.keyspace, table: table.name, name, type: nativeType(type) })
    this.#timestamp = using.timestamp === null ? null : compileTerm(using.timestamp, receiver("[timestamp]", "bigint"), context)
    this.#timeToLive = using.timeToLive === null ? null : compileTerm(using.timeToLive, receiver("[ttl]", "int"), context)
    if (isCounterTable(table) && using.timestamp !== null) throw new InvalidRequestError("Cannot provide custom timestamp for counter updates")
    if (isCounterTable(table) && using.timeToLive !== null) throw new InvalidRequestError("Cannot provide custom TTL for counter updates")
    this.#defaultTtlSeconds = table.options.defaultTimeToLive
  }

  /** The statement says USING TIMESTAMP. */
  get hasTimestamp(): boolean {
    return this.#timestamp !== null
  }
  /** Nothing that this statement writes expires, and its timestamp is the request's. */
  get areDefaults(): boolean {
    return this.#timestamp === null && this.#timeToLive === null && this.#defaultTtlSeconds === 0
  }

  /** Throws InvalidRequestError. */
  resolve(values: BoundValues, context: EncodeContext): WriteTime {
    const timestamp = this.#boundTimestamp(values)
    return {
      timestampHigh: timestamp === null ? context.timestampHigh : timestamp.readInt32BE(0),
      timestampLow: timestamp === null ? context.timestampLow : timestamp.readUInt32BE(4),
      ttlSeconds: this.#boundTtl(values),
      nowSeconds: context.nowSeconds,
    }
  }

  /** Null: the request's. */
  #boundTimestamp(values: BoundValues): Buffer | null {
    if (this.#timestamp === null) return null
    const bytes = this.#timestamp.value(values)
    if (bytes === UNSET) return null
    if (bytes === null || bytes.length === 0) throw new InvalidRequestError("Invalid null value of timestamp")
    assert(bytes.length === 8, "a validated bigint")
    if (bytes.readInt32BE(0) === MIN_HIGH && bytes.readUInt32BE(4) === MIN_LOW) {
      throw new InvalidRequestError("Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807]")
    }
    return bytes
  }

  #boundTtl(values: BoundValues): number {
    if (this.#timeToLive === null) return this.#defaultTtlSeconds
    const bytes = this.#timeToLive.value(values)
    if (bytes === UNSET) return this.#defaultTtlSeconds
    if (bytes === null || bytes.length === 0) return 0
    const seconds = bytes.readInt32BE(0)
    if (seconds < 0) throw new InvalidRequestError(`A TTL must be greater or equal to 0, but was ${seconds}`)
    if (seconds > MAX_TTL_SECONDS) throw new InvalidRequestError(`ttl is too large. requested (${seconds}) maximum (${MAX_TTL_SECONDS})`)
    return seconds
  }
}
