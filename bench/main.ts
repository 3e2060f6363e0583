// `npm run bench -- NAME [options]`: runs one workload and prints its figures. The options are at the top of its file.
// Workloads are loaded one by one: native modules of one do not count in the memory of another.
const workloads: Readonly<Record<string, (args: readonly string[]) => Promise<unknown>>> = {
  cluster: async (args) => (await import("./cluster.ts")).benchCluster(args),
  node: async (args) => (await import("./node.ts")).benchNode(args),
  protocol: async () => (await import("./protocol.ts")).benchProtocol(),
  start: async () => (await import("./start.ts")).benchStart(3),
  storage: async (args) => (await import("./storage.ts")).benchStorage(args),
}

const [name = "", ...args] = process.argv.slice(2)
const workload = workloads[name]
if (workload === undefined) {
  console.error(`usage: npm run bench -- NAME [options]\nworkloads: ${Object.keys(workloads).join(", ")}`)
  process.exitCode = 2
} else {
  await workload(args)
}
