// What a SELECT reads, worked out of the bound values: partition keys or a token range, and slices of each partition.
import { Buffer } from "../../runtime/pure.ts"
import { MAX_KEY_SIZE, serializePartitionKey } from "../../data/partition-key.ts"
import type { ClusteringSlice } from "../../data/read-command.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { FULL_RANGE, MAX_TOKEN, MIN_TOKEN, compareTokens, equalTokens, rangeContains, tokenOf } from "../../data/token.ts"
import type { Token, TokenRange } from "../../data/topology.ts"
import { compareValues } from "../../data/types/type-operations.ts"
import { InvalidRequestError } from "../errors.ts"
import type { BoundValues } from "../request.ts"
import { EVERYTHING, type Slice, comparisonSlices, intersectSlices, normalizeSlices, prefixSlice, toClusteringSlice } from "./clustering-slices.ts"
import { clusteringTooLong } from "../statements/equal-values.ts"
import type { Restriction, TokenRestriction, Tuple } from "./select-restriction.ts"
import { type CompiledTerm, UNSET } from "../statements/term.ts"

/** The serialised keys in Cassandra's order: that of the values, column by column, without duplicates. New buffers. */
export function boundKeys(restrictions: readonly Restriction[], token: TokenRange | null, values: BoundValues): Buffer[] {
  let tuples: Buffer[][] = [[]]
  for (const restriction of restrictions) {
    const options = keyOptions(restriction, values)
    tuples = tuples.flatMap((tuple) => options.map((option) => [...tuple, option]))
  }
  const keys = tuples.map(checkedKey)
  if (token === null) return keys
  return keys.filter((key) => {
    const { high, low } = tokenOf(key)
    return rangeContains(token, high, low)
  })
}

function keyOptions(restriction: Restriction, values: BoundValues): readonly Buffer[] {
  const column = restriction.columns[0] as ColumnSchema
  switch (restriction.kind) {
    case "eq":
      return restriction.tuple(values)
    case "in": {
      const compare = compareValues(column.type)
      const order = (a: Buffer, b: Buffer): number => compare(a, 0, a.length, b, 0, b.length)
      const sorted = restriction.tuples(values).map((tuple) => tuple[0] as Buffer).sort(order)
      return sorted.filter((value, index) => index === 0 || order(sorted[index - 1] as Buffer, value) !== 0)
    }
    case "slice":
      return []
  }
}

/** A copy: bound values go away with the request's buffer. Throws what Cassandra throws for keys of no length or too long. */
function checkedKey(parts: readonly Buffer[]): Buffer {
  for (const part of parts) if (part.length > MAX_KEY_SIZE) throw keyTooLong(part.length)
  const key = serializePartitionKey(parts)
  if (key.length === 0) throw new InvalidRequestError("Key may not be empty")
  if (key.length > MAX_KEY_SIZE) throw keyTooLong(key.length)
  return parts.length === 1 ? Buffer.from(key) : key
}

function keyTooLong(length: number): InvalidRequestError {
  return new InvalidRequestError(`Key length of ${length} is longer than maximum of ${MAX_KEY_SIZE}`)
}

/** The tokens asked for; null: none. */
export function boundTokenRange(restriction: TokenRestriction, values: BoundValues): TokenRange | null {
  if (restriction.eq !== null) {
    const token = tokenValue(restriction.eq, values)
    return equalTokens(token, MIN_TOKEN) ? null : { start: previous(token), end: token }
  }
  const { lower, upper } = restriction
  const from = lower === null ? MIN_TOKEN : tokenValue(lower.term, values)
  const to = upper === null ? MIN_TOKEN : tokenValue(upper.term, values)
  const start = lower?.inclusive === true && !equalTokens(from, MIN_TOKEN) ? previous(from) : from
  // The minimum token as an upper limit means no limit: it is no key's token, and clients that split the ring send it.
  if (equalTokens(to, MIN_TOKEN)) return equalTokens(start, MAX_TOKEN) ? null : equalTokens(start, MIN_TOKEN) ? FULL_RANGE : { start, end: MIN_TOKEN }
  const end = upper?.inclusive === false ? previous(to) : to
  return compareTokens(start, end) < 0 ? { start, end } : null
}

function previous(token: Token): Token {
  return token.low === 0 ? { high: token.high - 1, low: 0xffffffff } : { high: token.high, low: token.low - 1 }
}

function tokenValue(term: CompiledTerm, values: BoundValues): Token {
  const bytes = term.value(values)
  if (bytes === null) throw new InvalidRequestError("Invalid null token value")
  if (bytes === UNSET) throw new InvalidRequestError("Invalid unset token value")
  if (bytes.length !== 8) throw new InvalidRequestError(`Expected 8 or 0 byte long (${bytes.length})`)
  return { high: bytes.readInt32BE(0), low: bytes.readUInt32BE(4) }
}

/** Slices in clustering order; null: whole partitions. An empty array: no row can match. */
export function boundSlices(table: TableSchema, restrictions: readonly Restriction[], values: BoundValues): readonly ClusteringSlice[] | null {
  if (restrictions.length === 0) return null
  let prefixes: Tuple[] = [[]]
  let slices: Slice[] | null = null
  for (const restriction of restrictions) {
    if (restriction.kind === "slice") {
      slices = prefixes.flatMap((prefix) => sliceOf(table, prefix, restriction, values))
    } else {
      const tuples = restriction.kind === "eq" ? [restriction.tuple(values)] : restriction.tuples(values)
      prefixes = prefixes.flatMap((prefix) => tuples.map((tuple) => [...prefix, ...tuple]))
    }
  }
  const bound = normalizeSlices(table, slices ?? prefixes.map(prefixSlice)).map(toClusteringSlice)
  for (const { start, end } of bound) {
    const size = Math.max(start.length, end.length)
    if (size > MAX_KEY_SIZE) throw clusteringTooLong(size)
  }
  return bound
}

function sliceOf(table: TableSchema, prefix: Tuple, restriction: Extract<Restriction, { kind: "slice" }>, values: BoundValues): Slice[] {
  let slices: Slice[] = prefix.length === 0 ? [EVERYTHING] : [prefixSlice(prefix)]
  const { lower, upper } = restriction
  if (lower !== null) slices = intersectSlices(table, slices, comparisonSlices(table, prefix, lower.tuple(values), true, lower.inclusive))
  if (upper !== null) slices = intersectSlices(table, slices, comparisonSlices(table, prefix, upper.tuple(values), false, upper.inclusive))
  return slices
}
