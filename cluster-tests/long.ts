// `npm run test:long -- --minutes N`: the large counts. Runs each campaign in turn with fresh seeds until the time is up,
// and prints how much each has done. A failure ends the run with the seed and the command that replays it.
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

interface Campaign {
  readonly name: string
  readonly file: string
  /** What one round does, and the environment that makes it do so from a first seed on. */
  readonly unit: string
  readonly perRound: number
  readonly environment: (firstSeed: number, count: number) => Readonly<Record<string, string>>
}

const CAMPAIGNS: readonly Campaign[] = [
  {
    name: "simulated clusters", file: "cluster-tests/simulated", unit: "seeds a file", perRound: 100,
    environment: (first, count) => ({ SIMULATION_FIRST_SEED: String(first), SIMULATION_SEEDS: String(count) }),
  },
  {
    name: "protocol fuzz", file: "cql/protocol/fuzz.test.ts", unit: "conversations", perRound: 100_000,
    environment: (first, count) => ({ FUZZ_SEED: String(first), FUZZ_COUNT: String(count) }),
  },
  {
    name: "statement fuzz", file: "cluster-tests/cql/fuzz.test.ts", unit: "damaged statements, each number through the parser and through a node", perRound: 100_000,
    environment: (first, count) => ({ CQL_FUZZ_SEED: String(first), CQL_FUZZ_PARSES: String(count), CQL_FUZZ_STATEMENTS: String(count) }),
  },
  {
    name: "storage model", file: "storage/model.test.ts", unit: "histories", perRound: 2000,
    environment: (_first, count) => ({ BELVEDERE_RUNS: String(count) }),
  },
  {
    name: "crashes of the simulated disk", file: "storage/crash.test.ts", unit: "seeds of every operation in every mode, by kill and by loss of power", perRound: 3,
    environment: (first, count) => ({ CRASH_SEED: String(first), CRASH_SEEDS: String(count) }),
  },
  {
    name: "kill -9 under load", file: "cluster-tests/processes/kill-rounds.test.ts", unit: "rounds", perRound: 10,
    environment: (first, count) => ({ SEED: String(first), KILL_ROUNDS: String(count) }),
  },
  {
    name: "kill -9 under load, commitlog_sync batch", file: "cluster-tests/processes/kill-rounds.test.ts", unit: "rounds", perRound: 10,
    environment: (first, count) => ({ SEED: String(first), KILL_ROUNDS: String(count), KILL_SYNC: "batch" }),
  },
]

const { values } = parseArgs({ options: { minutes: { type: "string", default: "30" }, only: { type: "string" } } })
const minutes = Number(values.minutes)
if (!(minutes > 0)) throw new Error("--minutes takes a positive number")
const campaigns = CAMPAIGNS.filter(({ name }) => values.only === undefined || name.includes(values.only))
if (campaigns.length === 0) throw new Error(`--only: no campaign is called so; there are: ${CAMPAIGNS.map(({ name }) => name).join(", ")}`)

const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url))
const deadlineMs = performance.now() + minutes * 60_000
const done = new Map<string, number>()
for (let round = 0; performance.now() < deadlineMs; round++) {
  for (const campaign of campaigns) {
    if (performance.now() > deadlineMs) break
    const first = 1 + round * campaign.perRound
    const environment = campaign.environment(first, campaign.perRound)
    const words = Object.entries(environment).map(([key, value]) => `${key}=${value}`)
    const run = spawnSync(process.execPath, [vitest, "run", campaign.file, "--test-timeout", "3600000"], { env: { ...process.env, ...environment }, encoding: "utf8", maxBuffer: 256 * 1024 * 1024 })
    if (run.status !== 0) {
      console.error(run.stdout + run.stderr)
      console.error(`failed: ${campaign.name}; again with: ${words.join(" ")} npx vitest run ${campaign.file}`)
      process.exit(1)
    }
    done.set(campaign.name, (done.get(campaign.name) ?? 0) + campaign.perRound)
    console.log(`${campaign.name}: ${done.get(campaign.name)} ${campaign.unit}`)
  }
}
console.log([...done].map(([name, count]) => `${name}: ${count}`).join("; "))
