// Compares Belvedere with a real Cassandra on the golden files:
//
//   node cluster-tests/oracle/run.ts [--at ADDRESS[:PORT]] [--write] [FILE.txt ...]
//
// Starts one node of Cassandra (cassandra.ts) and runs every golden file that does not ask for several nodes on it
// and on one simulated node of ours; prints each statement whose rows, types, warnings, error codes or messages differ.
// A case with `differs=ID` may differ, and must: COMPAT.md says why under this ID. One with `apart=ID` is not run on
// Cassandra at all. Exits with 1 when anything else differs.
//
//   --at      asks a server that is already there; it loses all its keyspaces
//   --write   puts Cassandra's answers into the files, except where they are meant to differ
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { type GoldenCase, type GoldenFile, goldenFiles, writeGoldenFile } from "../cql/golden-file.ts"
import { type GoldenRun, type StatementRun, outputOf, runGoldenFile } from "../cql/golden-run.ts"
import { SimulatedBackEnd } from "../cql/simulated-back-end.ts"
import { CASSANDRA_VERSION, Cassandra } from "./cassandra.ts"
import { ServerBackEnd } from "./server-back-end.ts"

const ADDRESS = "127.0.0.200"

const { values, positionals } = parseArgs({ allowPositionals: true, options: { at: { type: "string" }, write: { type: "boolean" } } })
/** Warnings of Cassandra's that are left out on purpose: COMPAT.md's `no-view-warning` and `no-use-warning`. */
const LEFT_OUT = /^warning: (Materialized views are experimental|`USE <keyspace>` with prepared statements)/
const files = goldenFiles().filter(({ name, cluster }) => (cluster === null || cluster.nodes === 1) && (positionals.length === 0 || positionals.includes(name)))
const compatibility = readFileSync(new URL("../../COMPAT.md", import.meta.url), "utf8")
const tally = { statements: 0, differing: 0, listed: 0 }

const cassandra = values.at === undefined ? await Cassandra.start(ADDRESS) : null
try {
  for (const file of files) await compareFile(file, values.at ?? ADDRESS)
} finally {
  await cassandra?.stop()
}
console.log(`Cassandra ${CASSANDRA_VERSION}: ${files.length} files, ${tally.statements} statements; ${tally.differing} differ, ${tally.listed} more as COMPAT.md says`)
process.exitCode = tally.differing === 0 ? 0 : 1

async function compareFile(file: GoldenFile, address: string): Promise<void> {
  const ours = await runGoldenFile(file, await SimulatedBackEnd.start({ seed: 1, nodes: 1, replicationFactor: 1, flushAfterWrites: false }))
  const theirs = await onServer(file, address)
  file.cases.forEach((one, index) => compareCase(file, one, ours[index] ?? [], theirs[index] ?? []))
  if (values.write === true) writeGoldenFile(file, file.cases.map((one, index) => (one.arguments.has("differs") || one.arguments.has("apart") ? outputOf(ours[index] ?? []) : outputOf(theirs[index] ?? []))))
}

/** Cases that stand apart are left out, and have no statements. */
async function onServer(file: GoldenFile, address: string): Promise<GoldenRun> {
  const common: GoldenFile = { ...file, cases: file.cases.map((one) => (one.arguments.has("apart") ? { ...one, command: "" } : one.arguments.has("differs") ? one : { ...one, input: asJava(one.input) })) }
  const backEnd = await ServerBackEnd.start(address)
  try {
    const runs = await runGoldenFile(common, backEnd)
    return runs.map((one) => one.map(({ statement, lines }) => ({ statement, lines: lines.filter((line) => !LEFT_OUT.test(line)) })))
  } finally {
    backEnd.end()
  }
}

/** Bodies of functions are written so that they mean the same in Java. */
function asJava(input: string): string {
  return input.replaceAll("LANGUAGE javascript", "LANGUAGE java")
}

/** Lists that come in the order of a Java hash table are sorted, and addresses of Java objects left out. */
function normalized(lines: readonly string[]): string {
  return lines.join("\n")
    .replaceAll(/(signatures: )(.*)(\)(?:: use type casts to disambiguate)?)$/gm, (_, before: string, list: string, after: string) => before + list.split(/, (?=\w+\.\w+ : )/).toSorted().join(", ") + after)
    .replaceAll(/LANGUAGE java$/gm, "LANGUAGE javascript").replaceAll("| 'java' |", "| 'javascript' |")
    .replaceAll(/@[0-9a-f]{6,8}\b/g, "@")
    .replaceAll(/\b(\w+(?: ,\w+)+)/g, (list) => list.split(" ,").toSorted().join(" ,"))
}

function compareCase(file: GoldenFile, one: GoldenCase, ours: readonly StatementRun[], theirs: readonly StatementRun[]): void {
  const differing = theirs.filter(({ lines }, index) => normalized(lines) !== normalized(ours[index]?.lines ?? []))
  tally.statements += theirs.length
  const apart = one.arguments.get("apart")
  if (apart !== undefined) {
    if (!isListed(apart)) report(file, one, one.input, `COMPAT.md has no \`${apart}\``)
    return
  }
  const id = one.arguments.get("differs")
  if (id === undefined) {
    tally.differing += differing.length
    for (const run of differing) report(file, one, run.statement, difference(ours[theirs.indexOf(run)]?.lines ?? [], run.lines))
    return
  }
  tally.listed += differing.length
  const problem = !isListed(id) ? `COMPAT.md has no \`${id}\`` : differing.length === 0 ? "does not differ any more" : null
  if (problem === null) return
  tally.differing++
  report(file, one, one.input, problem)
}

function isListed(id: string): boolean {
  return compatibility.includes(`\`${id}\``)
}

function report(file: GoldenFile, one: GoldenCase, statement: string, what: string): void {
  console.log(`${file.name}:${one.line}\n${statement}\n${what}\n`)
}

/** Lines that only one has, with a sign before them. */
function difference(ours: readonly string[], theirs: readonly string[]): string {
  const lines: string[] = []
  for (let at = 0; at < Math.max(theirs.length, ours.length); at++) {
    if (theirs[at] === ours[at]) continue
    if (ours[at] !== undefined) lines.push(`- Belvedere ${ours[at]}`)
    if (theirs[at] !== undefined) lines.push(`+ Cassandra ${theirs[at]}`)
  }
  return lines.join("\n")
}
