// The command line. Heavy modules are loaded by the command that needs them.
import { isIPv4 } from "node:net"
import { Command, InvalidArgumentError, Option } from "commander"
import { DEFAULT_SCRIPT_LIMITS } from "../cql/scripts/script-host.ts"
import { DEFAULTS, type NodeConfig } from "./config.ts"
import { type StorageWords, addStorageOptions, storageSettings } from "./storage-settings.ts"

/** Runs the command in `argv` (as process.argv); sets the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("belvedere").description("A distributed wide-column store with Cassandra's language").showHelpAfterError("(--help lists the options)").enablePositionalOptions()
  addStart(program)
  addNode(program)
  program
    .command("cqlsh")
    .description("run cqlsh with the words given")
    .argument("[words...]")
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption(false)
    .action(async (words: string[]) => {
      process.exitCode = await (await import("./cqlsh.ts")).runCqlsh(words)
    })
  program
    .command("nodetool")
    .description("operate one node: nodetool --help")
    .argument("[words...]")
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption(false)
    .action(async (words: string[]) => {
      await (await import("./nodetool.ts")).runNodetool(words)
    })
  program
    .command("sstabledump")
    .description("print an SSTable as JSON")
    .argument("<file>", "of a node's data directory or of a snapshot")
    .option("-e", "only the keys of its partitions", false)
    .action(async (file: string, options: { e: boolean }) => {
      const { dumpSSTable } = await import("./sstable-dump.ts")
      for (const text of dumpSSTable(file, { keysOnly: options.e })) process.stdout.write(text)
    })
  await program.parseAsync([...argv])
}

function addStart(program: Command): void {
  program
    .command("start")
    .description("start a local cluster in the foreground, with the cities of the world loaded unless --empty")
    .argument("[options...]", "behind --: options for every node, those of `belvedere node`")
    .option("--nodes <count>", "how many nodes", integer(1, 100), 3)
    .option("--data <directory>", "where the nodes keep their data", ".belvedere")
    .option("--empty", "without the data set", false)
    .option("--json", "print one JSON object when the cluster is ready, and nothing else", false)
    .option("--testing", "open /fault on the nodes' admin ports", false)
    .option("--native-port <port>", "client port", integer(1, 65535), DEFAULTS.nativePort)
    .option("--listen-port <port>", "port between nodes", integer(1, 65535), DEFAULTS.listenPort)
    .option("--admin-port <port>", "admin HTTP port", integer(1, 65535), DEFAULTS.adminPort)
    .option("--first-address <address>", "loopback address of the first node; the others follow it", ipv4, "127.0.0.1")
    .option("--verbose", "print the nodes' logs to standard error", false)
    .action(async (nodeArguments: string[], options) => {
      process.exitCode = await (await import("./start.ts")).start({ ...options, nodeArguments })
    })
}

function addNode(program: Command): void {
  const command = program
    .command("node")
    .description("run one node in the foreground")
    .option("--data <directory>", "where the node keeps its data", ".belvedere/node1")
    .option("--address <address>", "address for clients and other nodes", "127.0.0.1")
    .option("--broadcast-address <address>", "what others are told; the address unless given")
    .option("--native-address <address>", "address for clients, or 0.0.0.0 for all; the address unless given")
    .option("--native-port <port>", "client port", integer(1, 65535), DEFAULTS.nativePort)
    .option("--listen-port <port>", "port between nodes", integer(1, 65535), DEFAULTS.listenPort)
    .option("--admin-address <address>", "admin HTTP address", "127.0.0.1")
    .option("--admin-port <port>", "admin HTTP port", integer(1, 65535), DEFAULTS.adminPort)
    .option("--seeds <list>", "address:port of nodes to join, comma separated; a new cluster begins at the first")
    .option("--cluster-name <name>", "nodes of another name are refused", DEFAULTS.clusterName)
    .option("--data-center <name>", "data centre", DEFAULTS.dataCenter)
    .option("--rack <name>", "rack", DEFAULTS.rack)
    .option("--tokens <count>", "tokens of this node when it joins", integer(1, 256), DEFAULTS.tokensPerNode)
    .option("--memtable-space <mebibytes>", "memory for rows not yet in SSTables", integer(1, 65536), DEFAULTS.memtableSpaceBytes / 1048576)
    .option("--no-user-defined-functions", "refuse CREATE FUNCTION, and calls of functions made before")
    .option("--function-timeout <ms>", "how long one call of a user-defined function may take", integer(1, 60_000), DEFAULT_SCRIPT_LIMITS.failTimeoutMs)
    .option("--no-auto-snapshot", "truncate and drop tables without a snapshot of them")
    .option("--testing", "open /fault on the admin port", false)
    .addOption(new Option("--log-level <level>", "least level of what is logged").choices(["DEBUG", "INFO", "WARN", "ERROR"]).default("INFO"))
    .action(async (options) => {
      await (await import("./node-process.ts")).runNodeProcess(nodeConfig(options))
    })
  addStorageOptions(command, integer)
}

interface NodeOptions extends StorageWords {
  readonly data: string
  readonly address: string
  readonly broadcastAddress?: string
  readonly nativeAddress?: string
  readonly nativePort: number
  readonly listenPort: number
  readonly adminAddress: string
  readonly adminPort: number
  readonly seeds?: string
  readonly clusterName: string
  readonly dataCenter: string
  readonly rack: string
  readonly tokens: number
  readonly memtableSpace: number
  readonly autoSnapshot: boolean
  readonly userDefinedFunctions: boolean
  readonly functionTimeout: number
  readonly testing: boolean
  readonly logLevel: NodeConfig["logLevel"]
}

function nodeConfig(options: NodeOptions): NodeConfig {
  const broadcastAddress = options.broadcastAddress ?? options.address
  return {
    clusterName: options.clusterName,
    dataDirectory: options.data,
    address: options.address,
    broadcastAddress,
    ...(options.nativeAddress === undefined ? {} : { nativeAddress: options.nativeAddress }),
    nativePort: options.nativePort,
    listenPort: options.listenPort,
    adminAddress: options.adminAddress,
    adminPort: options.adminPort,
    seeds: (options.seeds ?? `${broadcastAddress}:${options.listenPort}`).split(",").filter((seed) => seed !== ""),
    dataCenter: options.dataCenter,
    rack: options.rack,
    tokensPerNode: options.tokens,
    testing: options.testing,
    logLevel: options.logLevel,
    memtableSpaceBytes: options.memtableSpace * 1048576,
    storage: storageSettings(options),
    autoSnapshot: options.autoSnapshot,
    userDefinedFunctions: options.userDefinedFunctions ? { ...DEFAULT_SCRIPT_LIMITS, failTimeoutMs: options.functionTimeout } : null,
  }
}

function ipv4(text: string): string {
  if (!isIPv4(text)) throw new InvalidArgumentError("expected an IPv4 address")
  return text
}

function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < least || value > most) throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`)
    return value
  }
}
