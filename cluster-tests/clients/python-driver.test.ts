// The Python driver on protocol v5 with LZ4 against three nodes: the tests are in driver_tests.py, which runs them all in
// one process; each is shown as a test of its own here.
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type TestCluster, startCluster } from "../processes/cluster.ts"
import { installPython, python } from "./python.ts"

const PROGRAM = resolve(import.meta.dirname, "driver_tests.py")
const NAMES = Array.from(readFileSync(PROGRAM, "utf8").matchAll(/^def (test_\w+)/gm), ([, name]) => name as string)

let cluster: TestCluster
let outcomes: Record<string, string>

beforeAll(async () => {
  const starting = startCluster({ nodes: 3 })
  await installPython()
  cluster = await starting
  const { address, nativePort, adminPort } = cluster.local.node(1)
  const { stdout, stderr } = await python(PROGRAM, [address, ...[nativePort, adminPort, cluster.number(3)].map(String)])
  if (!stdout.startsWith("{")) throw new Error(`the program ended early: ${stderr}`)
  outcomes = JSON.parse(stdout) as Record<string, string>
}, 300_000)
afterAll(() => cluster?.stop())

test.each(NAMES)("%s", (name) => {
  expect(outcomes[name]).toBe("ok")
})
