// What `npm start` does with the cluster it started: load the cities, create views, show what can be asked.
import { Client, types } from "cassandra-driver"
import { Presets, SingleBar } from "cli-progress"
import { KEYSPACE, createAtlas, createViews, isLoaded, loadCities, readCities } from "./atlas.ts"
import type { LocalCluster } from "./local-cluster.ts"

const CONCURRENCY = 256

/** A driver session on a local cluster. */
export function connect(cluster: LocalCluster): Client {
  return new Client({
    contactPoints: cluster.nodes.map((node) => `${node.address}:${node.nativePort}`),
    localDataCenter: "datacenter1",
    pooling: { maxRequestsPerConnection: 2048 },
    socketOptions: { readTimeout: 30_000 },
  })
}

export async function runMainJob(cluster: LocalCluster, say: (line: string) => void): Promise<void> {
  const client = connect(cluster)
  try {
    await client.connect()
    if (await isLoaded(client)) say(`The data set is there: keyspace ${KEYSPACE}.`)
    else await load(client, cluster.nodes.length, say)
    await createViewsWithFigures(client, cluster.nodes.length, say)
    await showQueries(client, say)
    const node = cluster.node(1)
    say(`Connect with cqlsh:   npm run cqlsh -- ${node.address} ${node.nativePort}      (or -e "SELECT * FROM ${KEYSPACE}.cities_by_country WHERE country = 'IS' LIMIT 5")`)
    say(`Connect with a driver: contact points ${cluster.nodes.map((each) => `${each.address}:${each.nativePort}`).join(", ")}, data centre datacenter1`)
  } finally {
    await client.shutdown()
  }
}

async function load(client: Client, nodes: number, say: (line: string) => void): Promise<void> {
  await createAtlas(client, Math.min(3, nodes))
  const cities = readCities()
  const startedMs = performance.now()
  const bar = process.stdout.isTTY ? new SingleBar({ format: "Loading cities |{bar}| {value}/{total} {eta_formatted}", hideCursor: true }, Presets.shades_classic) : null
  if (bar === null) say(`Loading ${cities.length} cities`)
  bar?.start(cities.length, 0)
  await loadCities(client, cities, types.consistencies.quorum, CONCURRENCY, (done) => bar?.update(done))
  bar?.stop()
  const seconds = (performance.now() - startedMs) / 1000
  say(`Loaded ${cities.length} cities at QUORUM in ${seconds.toFixed(1)} s: ${Math.round(cities.length / seconds)} writes/s`)
}

async function createViewsWithFigures(client: Client, nodes: number, say: (line: string) => void): Promise<void> {
  const startedMs = performance.now()
  let waited = false
  await createViews(client, nodes, (building) => {
    if (!waited) say(`Building ${building.join(" and ")}`)
    waited = true
  })
  if (waited) say(`Views built on ${nodes} node${nodes === 1 ? "" : "s"} in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
}

async function showQueries(client: Client, say: (line: string) => void): Promise<void> {
  const queries = [
    `SELECT count(*) FROM ${KEYSPACE}.cities_by_country WHERE country = 'CH'`,
    `SELECT name, country FROM ${KEYSPACE}.cities_by_population WHERE population = 100000 LIMIT 3`,
  ]
  for (const query of queries) {
    const startedMs = performance.now()
    const result = await client.execute(query, [], { consistency: types.consistencies.quorum })
    const rows = result.rows.map((row) => Object.values(row).map(String).join(", ")).join(" | ")
    say(`${query}   at QUORUM\n    ${rows}   (${(performance.now() - startedMs).toFixed(1)} ms)`)
  }
}
