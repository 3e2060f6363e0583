// `npm run bench -- NAME [options]`: runs one workload and prints its figures. The options are at the top of its file.
import { benchNode } from "./node.ts"
import { benchStart } from "./start.ts"
import { benchStorage } from "./storage.ts"

const workloads: Readonly<Record<string, (args: readonly string[]) => Promise<unknown>>> = {
  node: benchNode,
  start: () => benchStart(3),
  storage: benchStorage,
}

const [name = "", ...args] = process.argv.slice(2)
const workload = workloads[name]
if (workload === undefined) {
  console.error(`usage: npm run bench -- NAME [options]\nworkloads: ${Object.keys(workloads).join(", ")}`)
  process.exitCode = 2
} else {
  await workload(args)
}
