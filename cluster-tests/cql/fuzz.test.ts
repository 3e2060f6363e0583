// Damaged statements. The parser alone takes many; a whole node takes fewer, between the intact statements of a golden
// file, so that there are tables to damage. What is asked: an answer to each, no error that means a bug, and a node that
// still serves. CQL_FUZZ_SEED (1), CQL_FUZZ_PARSES (20,000) and CQL_FUZZ_STATEMENTS (3,000) by environment; the long tier
// does a million.
import { expect, test } from "vitest"
import { CONSISTENCY, ERROR_CODE, RequestError } from "../../cql/errors.ts"
import { parseStatement } from "../../cql/language/parse.ts"
import { OPCODE } from "../../cql/protocol/opcode.ts"
import { type Answer, errorOf } from "../../cql/protocol/testing.ts"
import type { Random } from "../../runtime/random.ts"
import { SimulatedRandom } from "../../runtime/simulated/simulated-random.ts"
import { answerText } from "./answer-text.ts"
import type { CqlClient } from "./cql-client.ts"
import { goldenFiles, statementsOf } from "./golden-file.ts"
import { SimulatedBackEnd } from "./simulated-back-end.ts"
import { StatementFuzzer } from "./statement-fuzzer.ts"

const SEED = Number(process.env["CQL_FUZZ_SEED"] ?? 1)
const PARSES = Number(process.env["CQL_FUZZ_PARSES"] ?? 20_000)
const STATEMENTS = Number(process.env["CQL_FUZZ_STATEMENTS"] ?? 3000)
/** Damaged statements behind each intact one. */
const DAMAGED_EACH = 4
const FUZZER = new StatementFuzzer(goldenFiles())

test(`${PARSES} damaged statements through the parser`, () => {
  const random = new SimulatedRandom(SEED)
  const seen = { parsed: 0, refused: 0 }
  for (let count = 0; count < PARSES; count++) {
    const text = FUZZER.next(random, null)
    try {
      parseStatement(text)
      seen.parsed++
    } catch (error) {
      if (!(error instanceof RequestError)) throw new Error(`${String(error)}\nfor ${excerpt(text)}`, { cause: error })
      seen.refused++
    }
  }
  // The damage must neither spare everything nor drown it.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(PARSES / 20)
})

test(`${STATEMENTS} damaged statements through a node`, async () => {
  const files = goldenFiles().filter(({ cluster }) => cluster === null)
  const seen = { answered: 0, refused: 0 }
  for (let round = 0; seen.answered + seen.refused < STATEMENTS; round++) {
    const file = files[(SEED + round) % files.length] as (typeof files)[number]
    const random = new SimulatedRandom(SEED * 1000 + round)
    const backEnd = await SimulatedBackEnd.start({ seed: SEED + round, nodes: 1, replicationFactor: 1, flushAfterWrites: false })
    const client = await backEnd.client(1)
    const ask = async (text: string): Promise<void> => {
      const isRefused = await answerOf(backEnd, client, random, text).catch((error: unknown) => {
        throw new Error(`${String(error)}\nfor ${excerpt(text)}\nin ${file.name}, CQL_FUZZ_SEED=${SEED} round ${round}`, { cause: error })
      })
      seen[isRefused ? "refused" : "answered"]++
    }
    await ask("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    await ask("USE ks")
    for (const one of file.cases) {
      if (one.command !== "cql" && one.command !== "prepare") continue
      for (const statement of statementsOf(one.input.split("\n").filter((line) => !line.startsWith("with ")).join("\n"))) {
        if (/\bDROP\s+KEYSPACE\b/i.test(statement)) continue
        await ask(statement)
        for (let count = 0; count < DAMAGED_EACH; count++) await ask(FUZZER.next(random, random.below(4) === 0 ? null : statement))
      }
      if (seen.answered + seen.refused >= STATEMENTS) break
    }
  }
  expect(seen.refused).toBeGreaterThan(STATEMENTS / 3)
  expect(seen.answered).toBeGreaterThan(STATEMENTS / 20)
})

/** Asks, prepared and with values of any size every third time; resolves with whether it was refused. */
async function answerOf(backEnd: SimulatedBackEnd, client: CqlClient, random: Random, text: string): Promise<boolean> {
  if (random.below(3) > 0) return check(await backEnd.wait(client.query(text, { consistency: CONSISTENCY.one, pageSize: 10 })))
  const answer = await backEnd.wait(client.prepare(text))
  if (check(answer)) return true
  const { prepared } = answerText(answer)
  if (prepared === null) throw new Error("PREPARE gave no statement")
  const values = Array.from({ length: random.below(6) }, () => [null, undefined, random.bytes(random.below(20)), random.bytes(4), random.bytes(8)][random.below(5)])
  return check(await backEnd.wait(client.execute(prepared.id, prepared.resultMetadataId, { consistency: CONSISTENCY.one, pageSize: 10, values })))
}

/** Whether it is an error; throws when that means a bug. */
function check(answer: Answer): boolean {
  if (answer.opcode !== OPCODE.error) return false
  const { code, message } = errorOf(answer)
  // Where Cassandra lets an exception of Java out, so do we.
  if ((code === ERROR_CODE.server && !message.startsWith("java.lang.")) || code === ERROR_CODE.protocol) throw new Error(`error ${code}: ${message}`)
  return true
}

function excerpt(text: string): string {
  return text.length <= 1000 ? text : `${text.slice(0, 500)} ... ${text.length} characters ... ${text.slice(-200)}`
}
