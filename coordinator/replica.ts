// The replica's side: applies mutations and answers reads that other nodes send.
//
// A request names the metadata epoch it needs (the last change of its table and its range). A replica that is behind
// waits until it has that epoch; one that is ahead in a way that matters (the range has new owners, the table was
// truncated) refuses with `staleEpoch`, and the sender catches up and asks again.
import { ByteReader } from "../data/bytes.ts"
import type { ApplySource } from "../data/local-store.ts"
import type { ReadCommand } from "../data/read-command.ts"
import { mutationTokenHigh, mutationTokenLow } from "../data/mutation.ts"
import type { NodeId } from "../runtime/network.ts"
import { AssertionError, Buffer, type Maybe, isPromise } from "../runtime/pure.ts"
import { type Snapshot, MetadataUnavailableError } from "./cluster/cluster-metadata.ts"
import type { CoordinatorDeps } from "./coordinator-deps.ts"
import { FAILURE } from "./failure.ts"
import { type Message, type MessageRouter, VERB } from "./messages.ts"
import { tablesOf } from "./writes/mutation-tables.ts"
import { READ_FLAG, decodeReadCommand, decodeReadHead } from "./reads/read-command-codec.ts"
import { ResponseWriter, digestResponse } from "./reads/read-response.ts"

/** Who asked, and what the answer carries. */
interface Asker {
  readonly from: NodeId
  readonly requestId: number
  readonly epoch: number
}

/** Thrown to refuse a request with a failure code. */
class Refusal extends Error {
  readonly code: number
  constructor(code: number) {
    super(`refused with code ${code}`)
    this.code = code
  }
}

/** One message to each node, with all of its requests: a message costs as much as the rest of what acknowledging takes. */
function acknowledge(router: MessageRouter, askers: readonly Asker[]): void {
  for (let first = 0; first < askers.length; first++) {
    const { from, requestId } = askers[first] as Asker
    if (isAmong(from, askers, first)) continue
    const out = router.begin(VERB.writeAck, 0, requestId)
    for (let index = first + 1; index < askers.length; index++) {
      const other = askers[index] as Asker
      if (other.from === from) out.uint32(other.requestId)
    }
    router.send(from)
  }
}

/** Whether one of the first `count` is of that node. There are few nodes: the search ends soon. */
function isAmong(node: NodeId, askers: readonly Asker[], count: number): boolean {
  for (let index = 0; index < count; index++) if ((askers[index] as Asker).from === node) return true
  return false
}

const MAX_POOLED_WRITERS = 16
const MAX_POOLED_BYTES = 256 * 1024

export class Replica {
  readonly #deps: CoordinatorDeps
  readonly #writers: ResponseWriter[] = []
  /** Mutations that are in the memtable and not acknowledged yet. */
  #applied: Asker[] = []
  readonly #sendAcknowledgements = (): void => {
    const askers = this.#applied
    this.#applied = []
    const { router, store } = this.#deps
    try {
      store.writeOut()
    } catch (error) {
      for (const asker of askers) this.#refuse(asker, VERB.writeFailed, error)
      return
    }
    acknowledge(router, askers)
  }

  constructor(deps: CoordinatorDeps) {
    this.#deps = deps
    deps.router.handle(VERB.write, (message) => this.#write(message, "replica"))
    deps.router.handle(VERB.hint, (message) => this.#write(message, "hint"))
    deps.router.handle(VERB.readRepair, (message) => this.#write(message, "read_repair"))
    deps.router.handle(VERB.read, (message) => this.#read(message))
  }

  #write(message: Message, source: ApplySource): void {
    const asker: Asker = { from: message.from, requestId: message.requestId, epoch: message.epoch }
    const required = message.bytes.readUInt32BE(message.at)
    let mutation = message.bytes.subarray(message.at + 4)
    const waiting = this.#waitFor(required)
    if (!isPromise(waiting)) {
      this.#apply(asker, mutation, source)
      return
    }
    mutation = Buffer.from(mutation)
    waiting.then(() => this.#apply(asker, mutation, source), (error: unknown) => this.#refuse(asker, VERB.writeFailed, error))
  }

  #apply(asker: Asker, mutation: Buffer, source: ApplySource): void {
    let applied: Maybe<unknown>
    try {
      this.#checkMutation(asker, mutation, source)
      applied = this.#deps.store.apply(mutation, source, this.#deps.derive)
    } catch (error) {
      this.#refuse(asker, VERB.writeFailed, error)
      return
    }
    if (isPromise(applied)) applied.then(() => this.#acknowledge(asker), (error: unknown) => this.#refuse(asker, VERB.writeFailed, error))
    else this.#acknowledge(asker)
  }

  /** At the end of the turn: one write to the log for all mutations of the turn, then their acknowledgements. */
  #acknowledge(asker: Asker): void {
    if (this.#applied.length === 0) this.#deps.clock.atTurnEnd(this.#sendAcknowledgements)
    this.#applied.push(asker)
  }

  #checkMutation(asker: Asker, mutation: Buffer, source: ApplySource): void {
    const snapshot = this.#deps.metadata.current()
    // The sender knew as much: nothing can be stale.
    let keyspace = ""
    for (const id of tablesOf(mutation)) {
      const table = snapshot.schema.tableById(id)
      if (table === null) throw new Refusal(FAILURE.unknownTable)
      // A commit of a conditional update brings a row of system.paxos along, behind the user's tables.
      if (keyspace === "") keyspace = table.keyspace
      // A write from before a TRUNCATE would stay on this replica alone.
      if (asker.epoch < snapshot.truncationEpoch(id)) throw new Refusal(FAILURE.staleEpoch)
    }
    // A hint or a repair is for this node whoever owns the range now.
    if (source === "replica" && asker.epoch < snapshot.epoch) {
      const { since } = snapshot.placement(keyspace, mutationTokenHigh(mutation), mutationTokenLow(mutation))
      if (asker.epoch < since) throw new Refusal(FAILURE.staleEpoch)
    }
  }

  #read(message: Message): void {
    const asker: Asker = { from: message.from, requestId: message.requestId, epoch: message.epoch }
    const isDigest = (message.flags & READ_FLAG.digest) !== 0
    const required = message.bytes.readUInt32BE(message.at)
    const waiting = this.#waitFor(required)
    if (!isPromise(waiting)) {
      this.#serve(asker, message.bytes, message.at, isDigest)
      return
    }
    const bytes = Buffer.from(message.bytes.subarray(message.at))
    waiting.then(() => this.#serve(asker, bytes, 0, isDigest), (error: unknown) => this.#refuse(asker, VERB.readFailed, error))
  }

  #serve(asker: Asker, bytes: Buffer, at: number, isDigest: boolean): void {
    const writer = this.#writers.pop() ?? new ResponseWriter()
    const failed = (error: unknown): void => {
      this.#giveBack(writer)
      this.#refuse(asker, VERB.readFailed, error)
    }
    let command: ReadCommand
    let reading: Maybe<void>
    try {
      command = this.#command(asker, new ByteReader(bytes, at))
      reading = this.#deps.store.read(command, writer)
    } catch (error) {
      failed(error)
      return
    }
    if (isPromise(reading)) reading.then(() => this.#answer(asker, command, writer, isDigest), failed)
    else this.#answer(asker, command, writer, isDigest)
  }

  #command(asker: Asker, reader: ByteReader): ReadCommand {
    const snapshot: Snapshot = this.#deps.metadata.current()
    const { tableId } = decodeReadHead(reader)
    const table = snapshot.schema.tableById(tableId)
    if (table === null) throw new Refusal(FAILURE.unknownTable)
    const command = decodeReadCommand(table, reader)
    if (asker.epoch < snapshot.epoch) {
      const token = command.target.kind === "partition" ? command.target.token : command.target.range.end
      // Entries of an index lie elsewhere than what they stand for: any range may be meant.
      const since = table.kind === "index" ? lastMove(snapshot, table.keyspace) : snapshot.placement(table.keyspace, token.high, token.low).since
      if (asker.epoch < Math.max(since, snapshot.truncationEpoch(tableId))) throw new Refusal(FAILURE.staleEpoch)
    }
    return command
  }

  #answer(asker: Asker, command: ReadCommand, writer: ResponseWriter, isDigest: boolean): void {
    const { router } = this.#deps
    const out = router.begin(isDigest ? VERB.readDigest : VERB.readData, 0, asker.requestId)
    const response = writer.out.view()
    if (isDigest) out.bytes(digestResponse(response, command.table.kind === "view"))
    else out.copy(response, 0, response.length)
    this.#giveBack(writer)
    router.send(asker.from)
  }

  #giveBack(writer: ResponseWriter): void {
    writer.reset()
    if (this.#writers.length < MAX_POOLED_WRITERS && writer.out.buffer.length <= MAX_POOLED_BYTES) this.#writers.push(writer)
  }

  #waitFor(epoch: number): Maybe<void> {
    const { metadata, clock, timeouts } = this.#deps
    // Half the sender's patience: a refusal that comes too late helps nobody.
    return metadata.waitFor(epoch, clock.monotonicMs() + timeouts.writeMs / 2)
  }

  /** A refusal or an operating error is the sender's answer; a bug is not. */
  #refuse(asker: Asker, verb: number, error: unknown): void {
    if (error instanceof AssertionError || error instanceof TypeError) throw error
    const code = error instanceof Refusal ? error.code : error instanceof MetadataUnavailableError ? FAILURE.incompatibleSchema : FAILURE.unknown
    const { router } = this.#deps
    router.begin(verb, 0, asker.requestId).uint16(code)
    router.send(asker.from)
  }
}

/** The last change of ownership of any range. */
function lastMove(snapshot: Snapshot, keyspace: string): number {
  return snapshot.ranges(keyspace).reduce((last, { placement }) => Math.max(last, placement.since), 0)
}
