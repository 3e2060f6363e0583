// One node of a real Apache Cassandra, to compare answers with.
//
// Its jars come from Maven Central (org.apache.cassandra:cassandra-all with all it needs, through the `mvn` command) into
// node_modules/.cache, or from the directory that CASSANDRA_JARS names; its data goes to a temporary directory. It listens
// on an address of its own, so that it may run beside a cluster of Belvedere. Needs Java 17 (or 11) and, the first time, Maven.
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect } from "./socket-client.ts"

export const CASSANDRA_VERSION = process.env["CASSANDRA_VERSION"] ?? "5.0.6"
const CACHE = join(import.meta.dirname, "../../node_modules/.cache", `cassandra-${CASSANDRA_VERSION}`)
const HEAP = "1G"
const START_TIMEOUT_MS = 120_000
const STOP_TIMEOUT_MS = 20_000

/** Packages of the JDK that Cassandra reaches into. */
const EXPORTS = [
  "java.base/jdk.internal.misc", "java.management.rmi/com.sun.jmx.remote.internal.rmi", "java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server",
  "java.sql/java.sql", "java.base/java.lang.ref", "jdk.unsupported/sun.misc", "jdk.compiler/com.sun.tools.javac.file",
]
const OPENS = [
  "java.lang.module", "jdk.internal.loader", "jdk.internal.ref", "jdk.internal.reflect", "jdk.internal.math", "jdk.internal.module", "jdk.internal.util.jar",
  "sun.nio.ch", "java.io", "java.nio", "java.util.concurrent", "java.util", "java.util.concurrent.atomic", "java.lang",
].map((name) => `java.base/${name}`)

export class Cassandra {
  readonly address: string
  readonly #directory: string
  readonly #process: ChildProcess

  private constructor(address: string, directory: string, process: ChildProcess) {
    this.address = address
    this.#directory = directory
    this.#process = process
  }

  /** Resolves when it answers. */
  static async start(address: string): Promise<Cassandra> {
    const jars = findJars()
    const directory = mkdtempSync(join(tmpdir(), "cassandra-"))
    mkdirSync(join(directory, "conf"))
    writeFileSync(join(directory, "conf/cassandra.yaml"), settings(directory, address))
    writeFileSync(join(directory, "conf/logback.xml"), logging(directory))
    const output = openSync(join(directory, "out.txt"), "a")
    const process = spawn("java", javaArguments(directory, jars), { stdio: ["ignore", output, output], cwd: directory })
    const cassandra = new Cassandra(address, directory, process)
    try {
      await cassandra.#answers()
    } catch (error) {
      await cassandra.stop()
      throw error
    }
    return cassandra
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = new Promise((resolve) => this.#process.once("exit", resolve))
      this.#process.kill("SIGTERM")
      const timer = setTimeout(() => this.#process.kill("SIGKILL"), STOP_TIMEOUT_MS)
      await ended
      clearTimeout(timer)
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** The end of what it has said. */
  #log(): string {
    const logs = ["system.log", "out.txt"].map((name) => join(this.#directory, name)).filter((path) => existsSync(path))
    return logs.map((path) => readFileSync(path, "utf8").slice(-2000)).join("\n")
  }

  async #answers(): Promise<void> {
    for (const deadlineMs = performance.now() + START_TIMEOUT_MS; ; ) {
      try {
        const connection = await connect(this.address)
        connection.end()
        return
      } catch (error) {
        if (this.#process.exitCode !== null) throw new Error(`Cassandra has ended: ${this.#log()}`, { cause: error })
        if (performance.now() > deadlineMs) throw new Error(`Cassandra does not answer on ${this.address}`, { cause: error })
      }
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
}

function findJars(): string {
  const given = process.env["CASSANDRA_JARS"]
  if (given !== undefined) return given
  const lib = join(CACHE, "lib")
  const complete = join(CACHE, "complete")
  if (existsSync(complete)) return lib
  mkdirSync(CACHE, { recursive: true })
  writeFileSync(
    join(CACHE, "pom.xml"),
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>oracle</groupId><artifactId>oracle</artifactId><version>1</version>` +
      `<dependencies><dependency><groupId>org.apache.cassandra</groupId><artifactId>cassandra-all</artifactId><version>${CASSANDRA_VERSION}</version></dependency></dependencies></project>\n`,
  )
  console.log(`fetching Cassandra ${CASSANDRA_VERSION} with Maven`)
  execFileSync("mvn", ["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime"], { cwd: CACHE, stdio: "inherit" })
  writeFileSync(complete, "")
  return lib
}

/** Everything CQL can do is switched on; what only makes it slow to start is off. */
function settings(directory: string, address: string): string {
  const data = join(directory, "data")
  return `${[
    "cluster_name: oracle", "num_tokens: 16", "allocate_tokens_for_local_replication_factor: 3", "authenticator: AllowAllAuthenticator", "authorizer: AllowAllAuthorizer",
    "role_manager: CassandraRoleManager", "partitioner: org.apache.cassandra.dht.Murmur3Partitioner", "disk_failure_policy: stop", "commit_failure_policy: stop",
    "commitlog_sync: periodic", "commitlog_sync_period: 10000ms", "commitlog_segment_size: 8MiB", `data_file_directories: [ ${data}/data ]`, `commitlog_directory: ${data}/commitlog`,
    `hints_directory: ${data}/hints`, `saved_caches_directory: ${data}/saved_caches`, `cdc_raw_directory: ${data}/cdc_raw`,
    `seed_provider: [ { class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [ { seeds: "${address}:7000" } ] } ]`,
    `listen_address: ${address}`, `rpc_address: ${address}`, "storage_port: 7000", "native_transport_port: 9042", "start_native_transport: true", "endpoint_snitch: SimpleSnitch",
    "materialized_views_enabled: true", "user_defined_functions_enabled: true", "sasi_indexes_enabled: true", "drop_compact_storage_enabled: true", "auto_snapshot: false",
    "memtable: { configurations: { skiplist: { class_name: SkipListMemtable }, trie: { class_name: TrieMemtable }, default: { inherits: trie } } }",
    "sstable: { selected_format: bti }", "storage_compatibility_mode: NONE",
  ].join("\n")}\n`
}

function logging(directory: string): string {
  return `<configuration><appender name="F" class="ch.qos.logback.core.FileAppender"><file>${directory}/system.log</file><encoder><pattern>%-5level %date{ISO8601} %F:%L - %msg%n</pattern></encoder></appender><root level="INFO"><appender-ref ref="F"/></root></configuration>\n`
}

function javaArguments(directory: string, jars: string): string[] {
  const agent = readdirSync(jars).find((name) => /^jamm-.*\.jar$/.test(name))
  if (agent === undefined) throw new Error(`no jamm jar in ${jars}`)
  return [
    `-Xms${HEAP}`, `-Xmx${HEAP}`, "-Xss256k", "-XX:+UseSerialGC", "-Djdk.attach.allowAttachSelf=true",
    ...EXPORTS.flatMap((name) => ["--add-exports", `${name}=ALL-UNNAMED`]), ...OPENS.flatMap((name) => ["--add-opens", `${name}=ALL-UNNAMED`]),
    "--add-opens", "jdk.management/com.sun.management.internal=ALL-UNNAMED",
    `-Dcassandra.config=file://${directory}/conf/cassandra.yaml`, `-Dlogback.configurationFile=file://${directory}/conf/logback.xml`, `-Dcassandra.logdir=${directory}`,
    `-Dcassandra.storagedir=${directory}/data`, "-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.ring_delay_ms=1000",
    `-javaagent:${join(jars, agent)}`, "-cp", `${directory}/conf:${jars}/*`, "org.apache.cassandra.service.CassandraDaemon",
  ]
}
