// The main job at its whole size: the cities of the world on three processes, one of them killed during the load, then
// random updates that move view keys, delete rows and set TTLs. Every view row must be the query over the base, at ALL,
// from each node.
import { type Client, types } from "cassandra-driver"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createAtlas, createViews, loadCities, readCities } from "../../node/atlas.ts"
import { type TestCluster, startCluster } from "./cluster.ts"
import { type ViewShape, checkViews, readAll } from "./view-check.ts"

const SEED = Number(process.env["SEED"] ?? 1)
const UPDATES = 20_000
const CONCURRENCY = 128
const { quorum } = types.consistencies

const SHAPES: readonly ViewShape[] = [
  { name: "atlas.cities_by_country", column: "country", selected: ["name", "admin", "feature", "population", "latitude", "longitude"] },
  { name: "atlas.cities_by_population", column: "population", selected: ["name", "country"] },
]

let cluster: TestCluster
beforeAll(async () => {
  cluster = await startCluster({ nodes: 3 })
})
afterAll(() => cluster?.stop())

/** mulberry32: the same updates for the same seed. */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below)
  }
}

test("load with one node killed on the way", async () => {
  const client = await cluster.client(1)
  await createAtlas(client, 3)
  const cities = readCities()
  let killed: Promise<void> | null = null
  let restarted: Promise<void> | null = null
  await loadCities(client, cities, quorum, CONCURRENCY, (done) => {
    if (done > 20_000) killed ??= cluster.kill(3)
    if (done > 80_000) restarted ??= (killed ?? Promise.resolve()).then(() => cluster.restart(3))
  })
  await restarted
  await Promise.all([cluster.seen(1, 3, true), cluster.seen(2, 3, true)])
  const third = await cluster.client(3)
  const found = await readAll(third, "SELECT id, name FROM atlas.cities", ["id"])
  expect(found.size).toBe(cities.length)
})

test("views equal the base after 20,000 random updates, from every node", async () => {
  const clients = [await cluster.client(1), await cluster.client(2), await cluster.client(3)]
  await createViews(clients[0] as Client, 3, () => undefined)
  await randomUpdates(clients)
  // While a cell expires between the two scans they differ; then they are compared again.
  for (const client of clients) {
    await cluster.until("equal", () => checkViews(client, "atlas.cities", SHAPES), (texts) => texts.length === 0, 60_000)
  }
})

async function randomUpdates(clients: readonly Client[]): Promise<void> {
  const cities = readCities()
  const below = generator(SEED)
  const countries = [...new Set(cities.map(({ country }) => country))]
  let left = UPDATES
  async function worker(): Promise<void> {
    while (left-- > 0) {
      const client = clients[below(3)] as Client
      const id = (cities[below(cities.length)] as { cityId: number }).cityId
      const [text, values] = update(below, id, countries)
      await client.execute(text, values, { prepare: true, consistency: quorum })
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
}

function update(below: (bound: number) => number, id: number, countries: readonly string[]): [string, unknown[]] {
  const country = countries[below(countries.length)]
  switch (below(6)) {
    case 0:
      return ["UPDATE atlas.cities SET country = ? WHERE id = ?", [country, id]]
    case 1:
      return ["UPDATE atlas.cities SET population = ? WHERE id = ?", [below(1000), id]]
    case 2:
      return ["UPDATE atlas.cities SET country = ?, population = ?, name = 'moved' WHERE id = ?", [country, below(1000), id]]
    case 3:
      return ["DELETE FROM atlas.cities WHERE id = ?", [id]]
    case 4:
      return ["UPDATE atlas.cities USING TTL 1 SET country = ? WHERE id = ?", [country, id]]
    default:
      return ["DELETE population FROM atlas.cities WHERE id = ?", [id]]
  }
}
