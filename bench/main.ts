// `npm run bench -- NAME`: runs one workload and prints its figures.
import { benchStart } from "./start.ts"

const workloads: Readonly<Record<string, () => Promise<unknown>>> = {
  start: () => benchStart(3),
}

const name = process.argv[2] ?? ""
const workload = workloads[name]
if (workload === undefined) {
  console.error(`usage: npm run bench -- NAME\nworkloads: ${Object.keys(workloads).join(", ")}`)
  process.exitCode = 2
} else {
  await workload()
}
