// What a storage-attached index may be made on and with which options, in Cassandra's words.
import type { CqlType } from "../../data/cql-type.ts"
import { indexTermType, isStorageAttached } from "../../data/index-table.ts"
import type { ColumnDescriptor, IndexPart, TableDescriptor } from "../../data/schema.ts"
import { typeName } from "../../data/types/type-name.ts"
import { ConfigurationError, InvalidRequestError } from "../errors.ts"
import { indexTargetText } from "../describe/create-text-indexes.ts"

export interface Target {
  readonly column: ColumnDescriptor
  readonly part: IndexPart
}

const ANALYZER_OPTIONS = ["case_sensitive", "normalize", "ascii"]
const VECTOR_OPTIONS = ["maximum_node_connections", "construction_beam_width", "similarity_function", "optimize_for"]
const OPTIONS = new Set(["class_name", ...ANALYZER_OPTIONS, ...VECTOR_OPTIONS])
const TYPES = new Set([
  "ascii", "bigint", "boolean", "date", "decimal", "double", "float", "inet", "int", "smallint", "text", "time", "timestamp", "timeuuid", "tinyint", "uuid", "varint",
])
const SIMILARITIES = ["EUCLIDEAN", "DOT_PRODUCT", "COSINE"]
const OPTIMIZATIONS = ["LATENCY", "RECALL"]

export const VECTOR_INDEX_WARNING = [
  "SAI ANN indexes on vector columns are experimental and are not recommended for production use.",
  "They don't yet support SELECT queries with:",
  " * Consistency level higher than ONE/LOCAL_ONE.", " * Paging.", " * No LIMIT clauses.", " * PER PARTITION LIMIT clauses.", " * GROUP BY clauses.",
  " * Aggregation functions.", " * Filters on columns without a SAI index.",
].join("\n")

export function isFloatVector(type: CqlType): boolean {
  return type.kind === "vector" && type.element.kind === "native" && type.element.name === "float"
}

/** Throws InvalidRequestError and ConfigurationError. */
export function checkStorageAttached(targets: readonly Target[], table: TableDescriptor, options: Readonly<Record<string, string>>): void {
  const unknown = Object.keys(options).filter((key) => !OPTIONS.has(key))
  if (unknown.length > 0) throw new ConfigurationError(`Properties specified [${unknown.join(", ")}] are not understood by StorageAttachedIndex`)
  const [target] = targets
  const texts = targets.map(({ column, part }) => indexTargetText(column.name, part))
  if (targets.length > 1) throw new InvalidRequestError(`A storage-attached index cannot be created over multiple columns: ${texts.join(", ")}`)
  if (target === undefined) throw new InvalidRequestError("Failed to retrieve target column for: ")
  const { column, part } = target
  const others = (table.indexes ?? []).filter((index) => isStorageAttached(index) && index.column === column.id && index.part === part)
  if (others.length > 0) throw new InvalidRequestError(`Cannot create more than one storage-attached index on the same column: ${column.name}`)
  const type = indexTermType(column, part)
  checkAnalyzer(target, type, options)
  checkVectorOptions(type, options)
  checkType(type, part)
  if (type.kind !== "vector") return
  if (!isFloatVector(type)) throw new InvalidRequestError("SAI ANN indexes are only allowed on vector columns with float elements")
  if (type.dimension === 1 && (options["similarity_function"] ?? "COSINE").toUpperCase() === "COSINE") {
    throw new InvalidRequestError("Cosine similarity is not supported for single-dimension vectors")
  }
}

function checkAnalyzer({ column }: Target, type: CqlType, options: Readonly<Record<string, string>>): void {
  const given = ANALYZER_OPTIONS.filter((key) => options[key] !== undefined)
  if (given.length === 0) return
  if (column.kind === "partition_key" || column.kind === "clustering") {
    const text = given.toSorted().map((key) => `'${key}': '${options[key] ?? ""}'`).join(", ")
    throw new InvalidRequestError(`Analysis options are not supported on primary key columns, but found {${text}}`)
  }
  if (type.kind !== "native" || (type.name !== "text" && type.name !== "ascii")) throw new InvalidRequestError(`CQL type ${typeName(type)} cannot be analyzed.`)
  for (const key of given) {
    const value = options[key] ?? ""
    if (!/^(true|false)$/i.test(value)) throw new InvalidRequestError(`Illegal value for boolean option '${key}': ${value}`)
  }
}

function checkVectorOptions(type: CqlType, options: Readonly<Record<string, string>>): void {
  const given = VECTOR_OPTIONS.filter((key) => options[key] !== undefined)
  if (given.length === 0) return
  if (type.kind !== "vector") throw new InvalidRequestError(`CQL type ${typeName(type)} cannot have vector options`)
  // Exact results need no such parameters: Cassandra refuses them too unless they are switched on.
  if (options["maximum_node_connections"] !== undefined) {
    throw new InvalidRequestError("Maximum node connections cannot be set without enabling SAI_VECTOR_ALLOW_CUSTOM_PARAMETERS")
  }
  if (options["construction_beam_width"] !== undefined) {
    throw new InvalidRequestError("Construction beam width cannot be set without enabling SAI_VECTOR_ALLOW_CUSTOM_PARAMETERS")
  }
  const similarity = options["similarity_function"]?.toUpperCase()
  if (similarity !== undefined && !SIMILARITIES.includes(similarity)) {
    throw new InvalidRequestError(`Similarity function ${similarity} was not recognized for index null. Valid values are: ${SIMILARITIES.join(", ")}`)
  }
  const optimizeFor = options["optimize_for"]?.toUpperCase()
  if (optimizeFor !== undefined && !OPTIMIZATIONS.includes(optimizeFor)) {
    throw new InvalidRequestError(`optimize_for '${optimizeFor}' was not recognized for index null. Valid values are: ${OPTIMIZATIONS.join(", ")}`)
  }
}

function checkType(type: CqlType, part: IndexPart): void {
  if (part === "entries" && type.kind === "tuple") {
    for (const element of type.elements) checkType(element, "simple")
    return
  }
  // Everything that is one frozen value can be compared for equality.
  if (type.kind !== "native" || TYPES.has(type.name)) return
  throw new InvalidRequestError(`Unsupported type: ${typeName(type)}`)
}
