// The WHERE clause of a SELECT: which partitions and which slices of them are read, and what is left to be filtered.
//
// 1. Each relation becomes a restriction (select-restriction.ts); restrictions of the same column are merged.
// 2. The partition key: all columns by = or IN are keys to read one by one; anything less is a scan of a token range.
// 3. Clustering: a prefix of columns by = or IN, and one slice after it, become slices of the partitions read.
// 4. What is left is looked up in an index (select-index.ts), or filters rows after they are merged, which needs ALLOW
//    FILTERING. Virtual tables need no permission.
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { InvalidRequestError } from "../errors.ts"
import type { Relation } from "../language/ast-relations.ts"
import { compileTerm } from "../statements/compile-term.ts"
import {
  type CollectionCondition, type Restriction, type TokenRestriction, columnNamed, compileComparison, compileContains, compileElement, compileIn, compileToken,
  compileTupleComparison, compileTupleIn,
} from "./select-restriction.ts"
import { type IndexUse, type Searchable, chooseIndex, coversAll, indexesFor, vectorIndex } from "./select-index.ts"
import { type TermContext, columnReceiver } from "../statements/term.ts"
import { termText } from "../statements/term-text.ts"

const NEEDS_FILTERING =
  "Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. " +
  "If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING"

export interface WhereClause {
  /** One restriction (= or IN) for each column of the partition key, in key order; null: a scan. */
  readonly keys: readonly Restriction[] | null
  readonly token: TokenRestriction | null
  /** In clustering order: = and IN, the last may be a slice; together they cover a prefix of the clustering columns. */
  readonly clustering: readonly Restriction[]
  readonly filters: readonly Restriction[]
  readonly conditions: readonly CollectionCondition[]
  /** Restricted anywhere, in `clustering` or as filters. */
  readonly restrictsClustering: boolean
  readonly restrictsRegulars: boolean
  /** Something is left for an index, whether it is looked up or all rows of one partition are read. */
  readonly usesIndex: boolean
  /** What is looked up; null: rows are read in their own order. */
  readonly index: IndexUse | null
  /** Clustering columns restricted by one =. */
  readonly fixed: ReadonlySet<ColumnSchema>
}

export const DISTINCT_WHERE = "SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns."

export interface WhereOptions {
  readonly allowFiltering: boolean
  /** Of a SELECT DISTINCT, which says so before it speaks of filtering. */
  readonly distinct?: boolean
  /** ORDER BY ... ANN OF: the vector column. */
  readonly ann?: ColumnSchema | null
  /** Indexes serve reads only. */
  readonly forWrite?: boolean
}

export function compileWhere(table: TableSchema, relations: readonly Relation[], options: WhereOptions, context: TermContext): WhereClause {
  const collector = new Collector()
  for (const relation of relations) collect(table, relation, context, collector)
  const { conditions, token } = collector
  const all = collector.restrictions()
  const ann = options.ann ?? null
  const reads = options.forWrite !== true
  const hasIndex = ann !== null || (reads && [...all, ...conditions].some((restriction) => indexesFor(table, restriction).length > 0))
  const filtering = options.allowFiltering || table.kind === "virtual"
  checkClusteringMerge(all.filter((restriction) => !reads || indexesFor(table, restriction).length === 0), filtering)
  const ofKind = (...kinds: ColumnSchema["kind"][]): Restriction[] => all.filter((restriction) => kinds.includes(kindOf(restriction)))
  const partition = ofKind("partition_key")
  const clustering = ofKind("clustering").sort((a, b) => firstPosition(a) - firstPosition(b))
  const others = ofKind("regular", "static")
  if (options.distinct === true && clustering.length > 0) throw new InvalidRequestError(DISTINCT_WHERE)

  const keys = keyRestrictions(table, partition, conditions, filtering, hasIndex)
  const prefix = clusteringPrefix(clustering)
  const rest = clustering.slice(prefix.length)
  const conditionsOf = (...kinds: ColumnSchema["kind"][]): CollectionCondition[] => conditions.filter(({ column }) => kinds.includes(column.kind))
  const planning: Planning = {
    table, ann, hasIndex, filtering, token,
    partition: [...partition, ...conditionsOf("partition_key")], keysAreComplete: keys !== null,
    clustering: [...clustering, ...conditionsOf("clustering")], clusteringIsPrefix: rest.length === 0 && conditionsOf("clustering").length === 0,
    others: [...others, ...conditionsOf("regular", "static")],
  }
  if (ann !== null) checkAnn(planning)
  else if (reads && planning.others.some((restriction) => "columns" in restriction && vectorIndex(table, restriction.columns[0] as ColumnSchema) !== null)) {
    throw new InvalidRequestError("Vector indexes only support ANN queries")
  }
  if (rest.length > 0 && !filtering && !hasIndex) refuseGap(table, clustering)
  const usesIndex = checkFiltering(planning, clustering.length > 0)
  if (usesIndex && partition.some(({ kind }) => kind === "in")) {
    throw new InvalidRequestError("Select on indexed columns and with IN clause for the PRIMARY KEY are not supported")
  }
  const conditionKinds = conditions.map((condition) => condition.column.kind)
  const isOneRow = prefix.length > 0 && prefix.every(({ kind }) => kind === "eq") && prefix.reduce((sum, { columns }) => sum + columns.length, 0) === table.clustering.length
  const searchable = [...all, ...conditions]
  return {
    keys, token, clustering: prefix, conditions, usesIndex,
    index: !usesIndex || (keys !== null && (isOneRow || table.clustering.length === 0)) ? null : chooseIndex(table, searchable, keys !== null),
    filters: [...(keys === null ? partition : []), ...rest, ...others],
    restrictsClustering: clustering.length > 0 || conditionKinds.includes("clustering"),
    restrictsRegulars: ann !== null || others.some((restriction) => kindOf(restriction) === "regular") || conditionKinds.includes("regular"),
    fixed: new Set(clustering.flatMap((restriction) => (restriction.kind === "eq" ? restriction.columns : []))),
  }
}

/** What decides between an index, filtering and a refusal. */
interface Planning {
  readonly table: TableSchema
  readonly ann: ColumnSchema | null
  readonly hasIndex: boolean
  readonly filtering: boolean
  readonly token: TokenRestriction | null
  readonly partition: readonly Searchable[]
  readonly keysAreComplete: boolean
  readonly clustering: readonly Searchable[]
  /** A slice of the partition stands for all of them. */
  readonly clusteringIsPrefix: boolean
  readonly others: readonly Searchable[]
}

/** Whether an index is used. Throws when something would be left to filter and that is not allowed. */
function checkFiltering(planning: Planning, restrictsClustering: boolean): boolean {
  const { table, ann, hasIndex, filtering, token, partition, keysAreComplete, clustering, clusteringIsPrefix, others } = planning
  const isRange = token !== null || !keysAreComplete
  const filtersKeys = partition.length > 0 && !keysAreComplete
  const left: Searchable[] = []
  let usesIndex = hasIndex && ((partition.length === 0 && token === null) || filtersKeys)
  if (usesIndex || filtersKeys) left.push(...partition)
  if (hasIndex && !clusteringIsPrefix) usesIndex = true
  if (hasIndex && isRange && clustering.some((restriction) => indexesFor(table, restriction).length > 0)) usesIndex = true
  if (usesIndex || !clusteringIsPrefix) left.push(...clustering)
  if (others.length > 0 || ann !== null) {
    if (hasIndex) usesIndex = true
    left.push(...others)
  }
  if (filtering) return usesIndex
  if (left.length > 0 || ann !== null) {
    if (!usesIndex || !coversAll(table, left, ann !== null)) throw new InvalidRequestError(NEEDS_FILTERING)
  } else if (isRange && restrictsClustering) throw new InvalidRequestError(NEEDS_FILTERING)
  return usesIndex
}

/** Rows are compared with their vectors one by one, but only rows that an index or a key names. */
function checkAnn({ table, partition, keysAreComplete, clustering, clusteringIsPrefix, others }: Planning): void {
  const refuse = (): never => {
    throw new InvalidRequestError("ANN ordering by vector requires all restricted column(s) to be indexed")
  }
  if (partition.length > 0 && !keysAreComplete) refuse()
  const isIndexed = (restriction: Searchable): boolean => {
    const columns = "columns" in restriction ? restriction.columns : [restriction.column]
    return columns.every((column) => table.indexes.some((index) => index.column === column))
  }
  if (!others.every(isIndexed)) refuse()
  if (!clustering.every(isIndexed) && (!keysAreComplete || !clusteringIsPrefix)) refuse()
}

function kindOf(restriction: Restriction): ColumnSchema["kind"] {
  return (restriction.columns[0] as ColumnSchema).kind
}
function firstPosition(restriction: Restriction): number {
  return (restriction.columns[0] as ColumnSchema).position
}

function collect(table: TableSchema, relation: Relation, context: TermContext, into: Collector): void {
  switch (relation.kind) {
    case "comparison":
      return into.add(compileComparison(table, relation, context))
    case "in":
      return into.add(compileIn(table, relation, context))
    case "tupleComparison":
      return into.add(compileTupleComparison(table, relation, context))
    case "tupleIn":
      return into.add(compileTupleIn(table, relation, context))
    case "contains":
      return into.condition(compileContains(table, relation, context))
    case "element":
      return into.condition(compileElement(table, relation, context))
    case "token":
      return into.addToken(compileToken(table, relation, context), table)
    case "isNotNull":
      throw new InvalidRequestError(`Unsupported restriction: ${columnNamed(table, relation.column).name} IS NOT NULL`)
    case "like":
      compileTerm(relation.value, columnReceiver(table, columnNamed(table, relation.column)), context)
      throw new InvalidRequestError(`LIKE restriction is only supported on properly indexed columns. ${columnNamed(table, relation.column).name} LIKE ${termText(relation.value)} is not valid.`)
    case "customIndex":
      throw refuseExpression(table, relation.index.name)
  }
}

function refuseExpression(table: TableSchema, name: string): InvalidRequestError {
  const index = table.indexes.find((each) => each.name === name)
  if (index === undefined) return new InvalidRequestError(`Invalid index expression, index ${name} not found for ${table.keyspace}.${table.name}`)
  if (index.descriptor.kind !== "CUSTOM") return new InvalidRequestError(`Only CUSTOM indexes may be used in custom index expressions, ${name} is not valid`)
  return new InvalidRequestError(`Index ${name} does not support custom expressions`)
}

/** Merges restrictions of the same columns as they come. */
class Collector {
  readonly conditions: CollectionCondition[] = []
  token: TokenRestriction | null = null
  readonly #restrictions: Restriction[] = []

  restrictions(): readonly Restriction[] {
    return this.#restrictions
  }

  condition(condition: CollectionCondition): void {
    this.conditions.push(condition)
  }

  add(restriction: Restriction): void {
    for (const [index, existing] of this.#restrictions.entries()) {
      if (!existing.columns.some((column) => restriction.columns.includes(column))) continue
      this.#restrictions[index] = merge(existing, restriction)
      return
    }
    this.#restrictions.push(restriction)
  }

  addToken(token: TokenRestriction, table: TableSchema): void {
    const name = table.partitionKey.map((column) => column.name).join(", ")
    const existing = this.token
    if (existing === null) {
      this.token = token
      return
    }
    if (existing.eq !== null || token.eq !== null) throw new InvalidRequestError(`${name} cannot be restricted by more than one relation if it includes an Equal`)
    if (existing.lower !== null && token.lower !== null) throw new InvalidRequestError(`More than one restriction was found for the start bound on ${name}`)
    if (existing.upper !== null && token.upper !== null) throw new InvalidRequestError(`More than one restriction was found for the end bound on ${name}`)
    this.token = { eq: null, lower: existing.lower ?? token.lower, upper: existing.upper ?? token.upper }
  }
}

function merge(existing: Restriction, added: Restriction): Restriction {
  const name = existing.columns.filter((column) => added.columns.includes(column)).map((column) => column.name).join(" ,")
  if (existing.kind !== "slice") throw new InvalidRequestError(`${name} cannot be restricted by more than one relation if it includes ${existing.kind === "in" ? "a IN" : "an Equal"}`)
  if (added.kind !== "slice") throw new InvalidRequestError(`Column "${name}" cannot be restricted by both an equality and an inequality relation`)
  if (existing.columns[0] !== added.columns[0]) {
    throw new InvalidRequestError(`Column "${name}" cannot be restricted by two inequalities not starting with the same column`)
  }
  if (existing.lower !== null && added.lower !== null) throw new InvalidRequestError(`More than one restriction was found for the start bound on ${name}`)
  if (existing.upper !== null && added.upper !== null) throw new InvalidRequestError(`More than one restriction was found for the end bound on ${name}`)
  // (a, b) > ... and a < ...: each limit keeps its own length; the columns are those of the longer one.
  const columns = existing.columns.length >= added.columns.length ? existing.columns : added.columns
  return { kind: "slice", columns, lower: existing.lower ?? added.lower, upper: existing.upper ?? added.upper }
}

function keyRestrictions(
  table: TableSchema, partition: readonly Restriction[], conditions: readonly CollectionCondition[], filtering: boolean, hasIndex: boolean,
): readonly Restriction[] | null {
  if (partition.length === 0) return null
  const keys = table.partitionKey.map((column) => partition.find((restriction) => restriction.columns[0] === column))
  const complete = keys.every((restriction) => restriction !== undefined && restriction.kind !== "slice")
  if (complete && !conditions.some((condition) => condition.column.kind === "partition_key")) return keys as Restriction[]
  if (!filtering && !hasIndex) throw new InvalidRequestError(NEEDS_FILTERING)
  if (partition.some((restriction) => restriction.kind === "in") && table.kind !== "virtual") {
    throw new InvalidRequestError("IN restrictions are not supported when the query involves filtering")
  }
  return null
}

/** The restrictions that a slice of the partition can stand for. */
function clusteringPrefix(sorted: readonly Restriction[]): readonly Restriction[] {
  let position = 0
  const prefix: Restriction[] = []
  for (const restriction of sorted) {
    if (firstPosition(restriction) !== position) break
    prefix.push(restriction)
    if (restriction.kind === "slice") break
    position += restriction.columns.length
  }
  return prefix
}

/** A slice on a column ends what later columns can be restricted by. */
function checkClusteringMerge(restrictions: readonly Restriction[], filtering: boolean): void {
  if (filtering) return
  let last: Restriction | null = null
  for (const restriction of restrictions) {
    if (kindOf(restriction) !== "clustering") continue
    const column = restriction.columns[0] as ColumnSchema
    const before: ColumnSchema | null = last === null ? null : (last.columns[0] as ColumnSchema)
    if (last !== null && before !== null) {
      if (last.kind === "slice" && column.position > before.position) {
        throw new InvalidRequestError(`Clustering column "${column.name}" cannot be restricted (preceding column "${before.name}" is restricted by a non-EQ relation)`)
      }
      if (restriction.kind === "slice" && column.position < before.position) {
        throw new InvalidRequestError(`PRIMARY KEY column "${before.name}" cannot be restricted (preceding column "${column.name}" is restricted by a non-EQ relation)`)
      }
    }
    if (before === null || column.position > before.position) last = restriction
  }
}

function refuseGap(table: TableSchema, sorted: readonly Restriction[]): never {
  const restricted = sorted.flatMap((restriction) => restriction.columns)
  for (const [index, column] of restricted.entries()) {
    const expected = table.clustering[index] as ColumnSchema
    if (column !== expected) throw new InvalidRequestError(`PRIMARY KEY column "${column.name}" cannot be restricted as preceding column "${expected.name}" is not restricted`)
  }
  throw new InvalidRequestError(NEEDS_FILTERING)
}
