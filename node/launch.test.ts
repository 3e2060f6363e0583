import { spawnSync } from "node:child_process"
import { delimiter, join } from "node:path"
import { expect, test } from "vitest"

const LAUNCHER = join(import.meta.dirname, "launch.mjs")
const SENTENCE = /^Belvedere needs Node\.js 24 or newer, and this is v\d+\.\d+\.\d+: [^\n]*\n$/
/** Makes Node.js say that it is of an older version. */
const PRETEND = `data:text/javascript,Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.1.0" } });
Object.defineProperty(process, "version", { value: "v20.1.0" })`

/** The Node.js that is installed on this machine, besides the one that npm scripts run under. */
function machineNode(): { readonly path: string; readonly major: number } | null {
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((entry) => !entry.includes("node_modules")).join(delimiter)
  const found = spawnSync("node", ["-p", "process.execPath + ' ' + process.versions.node"], { env: { PATH: path }, encoding: "utf8" })
  const match = /^(.*) (\d+)\.[\d.]+\n$/.exec(found.stdout ?? "")
  return match === null ? null : { path: match[1] as string, major: Number(match[2]) }
}

function launch(node: string, words: readonly string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(node, [...words, LAUNCHER, "start", "--no-such-option"], { encoding: "utf8" })
}

test("an older Node.js gets one sentence", () => {
  expect(launch(process.execPath, ["--import", PRETEND])).toMatchObject({ status: 1, stdout: "", stderr: expect.stringMatching(SENTENCE) })
})

const machine = machineNode()
test.runIf(machine !== null && machine.major < 24)("and so does one that cannot read the sources", () => {
  expect(launch(machine!.path, [])).toMatchObject({ status: 1, stdout: "", stderr: expect.stringMatching(SENTENCE) })
})

test("this one starts the command line", () => {
  expect(launch(process.execPath, [])).toMatchObject({ status: 1, stderr: expect.stringContaining("unknown option '--no-such-option'") })
})
