// The replication option of keyspaces: strategy classes, factors, and what is odd about them in this cluster.
import { ConfigurationError, InvalidRequestError } from "../errors.ts"
import type { ClusterShape } from "../plan.ts"

type Replication = Readonly<Record<string, string>>

const LOCATOR_PACKAGE = "org.apache.cassandra.locator."
const FACTOR = "replication_factor"
const DEFAULT_FACTOR = "1"

/**
 * The stored form: the full class name, then the factors. `previous` is what an altered keyspace has.
 * NetworkTopologyStrategy's replication_factor becomes a factor for each data centre of the cluster. Throws ConfigurationError.
 */
export function replicationOption(
  keyspace: string, given: ReadonlyMap<string, string>, previous: Replication | null, cluster: ClusterShape | undefined,
): Replication {
  const options = new Map(given)
  const written = options.get("class")
  if (written === undefined) throw new ConfigurationError("Missing replication strategy class")
  options.delete("class")
  const className = written.includes(".") ? written : LOCATOR_PACKAGE + written
  switch (className) {
    case LOCATOR_PACKAGE + "SimpleStrategy":
      return { class: className, ...simpleOptions(keyspace, options, previous) }
    case LOCATOR_PACKAGE + "NetworkTopologyStrategy":
      return { class: className, ...networkOptions(keyspace, options, previous, cluster) }
    case LOCATOR_PACKAGE + "LocalStrategy":
      throw new InvalidRequestError("Unable to use given strategy class: LocalStrategy is reserved for internal use.")
    default:
      throw new ConfigurationError(`Unable to find replication strategy class '${className}'`)
  }
}

function simpleOptions(keyspace: string, options: ReadonlyMap<string, string>, previous: Replication | null): Replication {
  for (const name of options.keys()) {
    if (name !== FACTOR) throw new ConfigurationError(`Unrecognized strategy option {${name}} passed to SimpleStrategy for keyspace ${keyspace}`)
  }
  return { [FACTOR]: checkedFactor(options.get(FACTOR) ?? previous?.[FACTOR] ?? DEFAULT_FACTOR) }
}

function networkOptions(
  keyspace: string, given: ReadonlyMap<string, string>, previous: Replication | null, cluster: ClusterShape | undefined,
): Replication {
  const options = new Map(given)
  const known = cluster?.dataCenters
  const everywhere = options.get(FACTOR) ?? (options.size === 0 ? (previous?.[FACTOR] ?? DEFAULT_FACTOR) : undefined)
  options.delete(FACTOR)
  if (everywhere !== undefined) {
    // An altered keyspace keeps the factors that it has: only data centres that are new to it get this one.
    for (const [name, factor] of Object.entries(previous ?? {})) {
      if (name !== "class" && name !== FACTOR && !options.has(name)) options.set(name, factor)
    }
    for (const name of known?.keys() ?? []) if (!options.has(name)) options.set(name, everywhere)
  }
  const replication: Record<string, string> = {}
  for (const [name, text] of [...options].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (known !== undefined && !known.has(name)) {
      throw new ConfigurationError(`Unrecognized strategy option {${name}} passed to NetworkTopologyStrategy for keyspace ${keyspace}`)
    }
    const factor = checkedFactor(text)
    if (factor !== "0") replication[name] = factor
  }
  if (Object.keys(replication).length === 0) throw new ConfigurationError("Configuration for at least one datacenter must be present")
  return replication
}

function checkedFactor(text: string): string {
  if (/^\d+\/\d+$/.test(text)) throw new ConfigurationError("Transient replication is disabled. Enable in cassandra.yaml to use.")
  if (!/^[+-]?\d{1,9}$/.test(text)) throw new ConfigurationError(`For input string: "${text}"`)
  const factor = Number(text)
  if (factor < 0) throw new ConfigurationError(`Replication factor must be non-negative, found ${factor}`)
  return String(factor)
}

/** Factors that this cluster cannot satisfy, or only with several replicas on one machine (racks tell machines apart). */
export function replicationWarnings(keyspace: string, replication: Replication, cluster: ClusterShape | undefined): string[] {
  if (cluster === undefined) return []
  const simple = replication[FACTOR]
  const centres = [...cluster.dataCenters]
  if (simple !== undefined) {
    const nodes = centres.reduce((sum, [, centre]) => sum + centre.nodes, 0)
    return nodes > 0 && Number(simple) > nodes ? [tooMany(keyspace, Number(simple), nodes, "")] : []
  }
  const warnings: string[] = []
  for (const [name, { nodes, racks }] of centres) {
    const factor = Number(replication[name] ?? "0")
    if (factor > nodes) warnings.push(tooMany(keyspace, factor, nodes, ` for datacenter ${name}`))
    else if (racks > 1 && factor > racks) {
      warnings.push(`Your replication factor ${factor} for keyspace ${keyspace} is higher than the number of racks ${racks} for datacenter ${name}`)
    }
  }
  return warnings
}

function tooMany(keyspace: string, factor: number, nodes: number, where: string): string {
  return `Your replication factor ${factor} for keyspace ${keyspace} is higher than the number of nodes ${nodes}${where}`
}
