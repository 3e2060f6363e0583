// The load generator: a process of its own, started by load.ts with the load as JSON, printing one line of JSON.
//
// It must cost little, since it shares the machine with what it measures (client drivers cost 10 us a request; this
// one about half a microsecond when requests are pipelined, and it prints what it cost):
// - sockets read into one buffer of ours (`onread`), and replies are skimmed: only their headers are looked at;
// - requests are prepared frames (request-template.ts), all those of one read event in one write;
// - the clock is read once per read event.
//
// Closed loop: every connection keeps `outstanding` requests in flight. With a rate: open loop, requests are sent when
// they are due, and a latency counts from then, so that a server that stalls is charged for all that had to wait.
import { type Socket, createConnection } from "node:net"
import { CqlConnection, HEADER_BYTES, OPCODE, errorText, startupFrame } from "./cql-connection.ts"
import { Latencies } from "./latencies.ts"
import type { Load, LoadResult } from "./load.ts"
import { type CpuTime, cpuTime } from "./process-cpu.ts"
import { RequestTemplate } from "./request-template.ts"

const READ_BYTES = 256 * 1024
const ERRORS_TOLD = 3

const load = JSON.parse(process.argv[2]!) as Load
const addresses = [load.address, ...(load.others ?? []).map(({ address }) => address)]
const pids = load.pid === undefined ? [] : [load.pid, ...(load.others ?? []).map(({ pid }) => pid)]
/** A prepared statement has the same id everywhere. */
let statement = Buffer.alloc(0)
for (const address of addresses) {
  const setup = await CqlConnection.connect(address, load.port)
  statement = Buffer.from(await setup.prepare(load.query))
  setup.close()
}
const template = new RequestTemplate(statement, load.values, load.consistency ?? 1)

const latencies = new Latencies()
const limit = load.count ?? Number.POSITIVE_INFINITY
let issued = 0
let answered = 0
let errors = 0
let nowMs = performance.now()
let timestampMicros = Date.now() * 1000

class FastConnection {
  readonly #socket: Socket
  readonly #sentMs = new Float64Array(load.outstanding)
  readonly #free: number[] = []
  #out: Buffer
  #outLength = 0
  #isReady = false
  /** Of a frame that did not come whole: its header so far, and how much of its body is still to come. */
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerLength = 0
  #bodyLeft = 0
  #isErrorBody = false

  constructor(address: string, onReady: () => void) {
    this.#out = Buffer.allocUnsafeSlow(template.size * load.outstanding)
    this.#socket = createConnection({
      host: address, port: load.port, noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (length, bytes) => {
          nowMs = performance.now()
          this.#skim(Buffer.from(bytes.buffer, bytes.byteOffset, length), onReady)
          this.#flush()
          return true
        },
      },
    })
    this.#socket.once("error", fail)
    this.#socket.once("close", () => fail(new Error("the server closed the connection")))
    this.#socket.write(startupFrame())
  }

  get hasFree(): boolean {
    return this.#free.length > 0
  }

  /** Fills the connection. */
  begin(): void {
    for (let stream = load.outstanding - 1; stream >= 0; stream--) this.#free.push(stream)
    if (load.rate === undefined) this.fill()
  }
  fill(): void {
    while (this.#free.length > 0 && issued < limit) this.issue(nowMs)
    this.#flush()
  }

  issue(sentMs: number): void {
    const stream = this.#free.pop()!
    this.#sentMs[stream] = sentMs
    issued++
    const micros = ++timestampMicros
    const high = Math.floor(micros / 2 ** 32)
    if (this.#outLength + template.size > this.#out.length) this.#flush()
    template.write(this.#out, this.#outLength, stream, high, micros - high * 2 ** 32)
    this.#outLength += template.size
  }
  flush(): void {
    this.#flush()
  }

  #skim(bytes: Buffer, onReady: () => void): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#bodyLeft > 0) {
        const here = Math.min(this.#bodyLeft, bytes.length - at)
        if (this.#isErrorBody && errors <= ERRORS_TOLD) tellError(bytes.subarray(at, at + here))
        this.#isErrorBody = false
        this.#bodyLeft -= here
        at += here
        continue
      }
      let header = bytes
      let from = at
      if (this.#headerLength > 0 || bytes.length - at < HEADER_BYTES) {
        const wanted = Math.min(HEADER_BYTES - this.#headerLength, bytes.length - at)
        bytes.copy(this.#header, this.#headerLength, at, at + wanted)
        this.#headerLength += wanted
        at += wanted
        if (this.#headerLength < HEADER_BYTES) return
        this.#headerLength = 0
        header = this.#header
        from = 0
      } else at += HEADER_BYTES
      this.#bodyLeft = (header[from + 5]! << 24) | (header[from + 6]! << 16) | (header[from + 7]! << 8) | header[from + 8]!
      if (this.#isReady) this.#answered((header[from + 2]! << 8) | header[from + 3]!, header[from + 4]!)
      else {
        this.#isReady = true
        onReady()
      }
    }
  }

  #answered(stream: number, opcode: number): void {
    answered++
    if (opcode !== OPCODE.result) {
      errors++
      this.#isErrorBody = true
    }
    latencies.add(nowMs - this.#sentMs[stream]!)
    this.#free.push(stream)
    if (load.rate === undefined && issued < limit) this.issue(nowMs)
  }

  #flush(): void {
    if (this.#outLength === 0) return
    this.#socket.write(this.#out.subarray(0, this.#outLength))
    this.#outLength = 0
    // The kernel took all of it, as it nearly always does: the buffer is ours again.
    if (this.#socket.writableLength > 0) this.#out = Buffer.allocUnsafeSlow(this.#out.length)
  }
}

function tellError(body: Buffer): void {
  try {
    console.error(errorText(body))
  } catch {
    console.error("an error that came in pieces")
  }
}
function fail(error: Error): void {
  console.error(error.message)
  process.exit(1)
}

/** Open loop: what is due since the last look, round robin over connections with a free stream. */
function startRate(connections: readonly FastConnection[], rate: number): void {
  let dueMs = performance.now()
  let next = 0
  const tick = (): void => {
    nowMs = performance.now()
    const touched = new Set<FastConnection>()
    while (dueMs <= nowMs) {
      let connection: FastConnection | null = null
      for (let tries = 0; tries < connections.length && connection === null; tries++) {
        const candidate = connections[next++ % connections.length]!
        if (candidate.hasFree) connection = candidate
      }
      // All are full: what is due stays due, and its latency runs.
      if (connection === null) break
      connection.issue(dueMs)
      touched.add(connection)
      dueMs += 1000 / rate
    }
    for (const connection of touched) connection.flush()
    setTimeout(tick, 1)
  }
  tick()
}

const connections: FastConnection[] = []
for (let index = 0; index < load.connections; index++) {
  await new Promise<void>((resolve) => {
    connections.push(new FastConnection(addresses[index % addresses.length]!, resolve))
  })
}
nowMs = performance.now()
for (const connection of connections) connection.begin()
if (load.rate !== undefined) startRate(connections, load.rate)

/** Of all servers together; null when they are not measured. */
function serverCpu(): CpuTime | null {
  if (pids.length === 0) return null
  const times = pids.map(cpuTime)
  return { mainUs: times.reduce((sum, { mainUs }) => sum + mainUs, 0), allUs: times.reduce((sum, { allUs }) => sum + allUs, 0) }
}

let startedMs = performance.now()
let answeredBefore = 0
let ownBefore = process.cpuUsage()
let serverBefore = serverCpu()
function beginMeasuring(): void {
  startedMs = performance.now()
  answeredBefore = answered
  errors = 0
  latencies.clear()
  ownBefore = process.cpuUsage()
  serverBefore = serverCpu()
}
function finish(): void {
  const seconds = (performance.now() - startedMs) / 1000
  const requests = answered - answeredBefore
  const own = process.cpuUsage(ownBefore)
  const server = serverCpu()
  const result: LoadResult = {
    requests, requestsPerSecond: requests / seconds, errors,
    p50Ms: latencies.quantile(0.5), p99Ms: latencies.quantile(0.99), p999Ms: latencies.quantile(0.999), maximumMs: latencies.maximumMs,
    clientUs: (own.user + own.system) / requests,
    serverMainUs: server === null || serverBefore === null ? null : (server.mainUs - serverBefore.mainUs) / requests,
    serverAllUs: server === null || serverBefore === null ? null : (server.allUs - serverBefore.allUs) / requests,
  }
  process.stdout.write(JSON.stringify(result) + "\n", () => process.exit(0))
}

if (load.count !== undefined) {
  const poll = setInterval(() => {
    if (answered < limit) return
    clearInterval(poll)
    finish()
  }, 5)
} else {
  setTimeout(beginMeasuring, load.warmSeconds * 1000)
  setTimeout(finish, (load.warmSeconds + load.seconds) * 1000)
}
