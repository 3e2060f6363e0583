// What the two test files of golden statements share.
import { expect, test } from "vitest"
import { goldenFiles, writeGoldenFile } from "./golden-file.ts"
import { outputOf, runGoldenFile } from "./golden-run.ts"
import { SimulatedBackEnd } from "./simulated-back-end.ts"

/** UPDATE_GOLDENS=1 rewrites the files on the cluster they ask for, else on one node: commit only what you can explain. */
const UPDATE = process.env["UPDATE_GOLDENS"] === "1"

/** Every golden file that fits a cluster of so many nodes, each with all its replicas on all nodes. */
export function testGoldens(nodes: number): void {
  for (const flushAfterWrites of [false, true]) {
    for (const file of goldenFiles()) {
      if (file.cluster !== null && file.cluster.nodes !== nodes) continue
      test(`${file.name}${flushAfterWrites ? ", everything flushed after every write" : ""}`, async () => {
        const backEnd = await SimulatedBackEnd.start({ seed: 1, nodes, replicationFactor: file.cluster?.replicationFactor ?? nodes, flushAfterWrites })
        const outputs = (await runGoldenFile(file, backEnd)).map(outputOf)
        if (UPDATE && !flushAfterWrites && nodes === (file.cluster?.nodes ?? 1)) {
          writeGoldenFile(file, outputs)
          return
        }
        const text = (output: (index: number) => string): string => file.cases.map((one, index) => `${one.head} # line ${one.line}\n${one.input}\n----\n${output(index)}`).join("\n\n")
        expect(text((index) => outputs[index] ?? "")).toBe(text((index) => file.cases[index]?.expected ?? ""))
      })
    }
  }
}
