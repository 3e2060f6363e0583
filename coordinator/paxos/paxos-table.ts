// The acceptor's state as a row of system.paxos, which every node keeps for itself: partition key is the user's partition
// key, clustering the user's table.
//
// Each cell has its ballot's microseconds as timestamp, so that reconciliation keeps the latest promise, the latest accepted
// proposal and the latest commit, in whatever order they are written; a commit's tombstones remove proposals up to it. So a
// commit needs no read: it is one mutation with the user's update and this row's, applied as any write and kept as any hint.
// Rows expire when nobody has touched the partition for a while, as in Cassandra.
import { MutationWriter } from "../../data/mutation.ts"
import { combineMutations } from "../../data/combine-mutations.ts"
import type { LocalStore, RowSink } from "../../data/local-store.ts"
import { ByteReader } from "../../data/bytes.ts"
import { isLiveCell } from "../../data/reconcile.ts"
import { CELL_KIND, type Cell, type Row } from "../../data/row.ts"
import { decodeRow, encodeClustering } from "../../data/row-format.ts"
import type { Schema, TableSchema } from "../../data/schema.ts"
import { highOf, lowOf } from "../../data/timestamp.ts"
import { tokenOf } from "../../data/token.ts"
import { parseUuid } from "../../data/types/uuids.ts"
import { NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import { Buffer, type Maybe, assert, isPromise } from "../../runtime/pure.ts"
import type { AcceptorState, Proposal } from "./acceptor.ts"
import { type Ballot, ballotOfUuid, ballotUuid, laterBallot } from "./ballot.ts"

const MIN_TTL_SECONDS = 3 * 3600

export function paxosTable(schema: Schema): TableSchema {
  const table = schema.table("system", "paxos")
  assert(table !== null, "every release has system.paxos")
  return table
}

function columnId(paxos: TableSchema, name: string): number {
  const column = paxos.columnByName.get(name)
  assert(column !== undefined, `system.paxos has ${name}`)
  return column.id
}

function clusteringOf(table: TableSchema): Buffer {
  const uuid = parseUuid(table.descriptor.uuid)
  assert(uuid !== null, "tables have UUIDs")
  return encodeClustering([uuid])
}

/** Reads the state. What was proposed or committed before `validFrom` (an epoch) is left out; its ballots still count. */
export function loadState(store: LocalStore, paxos: TableSchema, table: TableSchema, key: Buffer, nowSeconds: number, validFrom: number): Maybe<AcceptorState> {
  const clustering = clusteringOf(table)
  const slice = { start: clustering, startInclusive: true, end: clustering, endInclusive: true }
  const command: ReadCommand = {
    table: paxos, nowSeconds, target: { kind: "partition", token: tokenOf(key), key }, slices: [slice], reversed: false, limit: NO_LIMIT, perPartitionLimit: NO_LIMIT, after: null,
  }
  const sink = new StateSink(paxos, nowSeconds, validFrom)
  const reading = store.read(command, sink)
  return isPromise(reading) ? reading.then(() => sink.state()) : sink.state()
}

class StateSink implements RowSink {
  readonly #paxos: TableSchema
  readonly #nowSeconds: number
  readonly #validFrom: number
  #row: Row | null = null

  constructor(paxos: TableSchema, nowSeconds: number, validFrom: number) {
    this.#paxos = paxos
    this.#nowSeconds = nowSeconds
    this.#validFrom = validFrom
  }
  partition(): void {}
  rangeTombstone(): void {}
  partitionEnd(): void {}
  row(bytes: Uint8Array, from: number, to: number): boolean {
    this.#row = decodeRow(new ByteReader(Buffer.from(bytes.subarray(from, to))))
    return true
  }

  state(): AcceptorState {
    const accepted = this.#proposal("proposal_ballot", "proposal", "proposal_version")
    const committed = this.#proposal("most_recent_commit_at", "most_recent_commit", "most_recent_commit_version")
    const promised = laterBallot(laterBallot(this.#ballot("in_progress_ballot"), accepted?.ballot ?? null), committed?.ballot ?? null)
    return { promised, accepted: this.#valid(accepted), committed: this.#valid(committed) }
  }

  #valid(proposal: Proposal | null): Proposal | null {
    return proposal !== null && proposal.epoch >= this.#validFrom ? proposal : null
  }
  #proposal(ballotName: string, updateName: string, epochName: string): Proposal | null {
    const ballot = this.#ballot(ballotName)
    const update = this.#value(updateName)
    const epoch = this.#value(epochName)
    return ballot === null || update === null || epoch === null ? null : { ballot, update, epoch: epoch.readInt32BE(0) }
  }
  #ballot(name: string): Ballot | null {
    const value = this.#value(name)
    return value === null ? null : ballotOfUuid(value)
  }
  #value(name: string): Buffer | null {
    const id = columnId(this.#paxos, name)
    const cell = this.#row?.cells.find(({ column }) => column === id)
    return cell === undefined || !isLiveCell(cell, this.#nowSeconds) ? null : Buffer.from(cell.value as Uint8Array)
  }
}

/** Collects the cells of one message. */
class PaxosRow {
  readonly #paxos: TableSchema
  readonly #ballot: Ballot
  readonly #nowSeconds: number
  readonly #ttlSeconds: number
  readonly #cells: Cell[] = []

  constructor(paxos: TableSchema, table: TableSchema, ballot: Ballot, nowSeconds: number) {
    this.#paxos = paxos
    this.#ballot = ballot
    this.#nowSeconds = nowSeconds
    this.#ttlSeconds = Math.max(MIN_TTL_SECONDS, table.options.gcGraceSeconds)
  }

  /** Null removes. */
  set(name: string, value: Buffer | null): void {
    const { micros } = this.#ballot
    const expiresAt = this.#nowSeconds + (value === null ? 0 : this.#ttlSeconds)
    this.#cells.push({
      column: columnId(this.#paxos, name), path: null, kind: value === null ? CELL_KIND.tombstone : CELL_KIND.expiring, timestampHigh: highOf(micros), timestampLow: lowOf(micros),
      ttlSeconds: value === null ? 0 : this.#ttlSeconds, expiresAt, value,
    })
  }

  setProposal({ ballot, update, epoch }: Proposal, ballotName: string, updateName: string, epochName: string): void {
    const version = Buffer.alloc(4)
    version.writeInt32BE(epoch)
    this.set(ballotName, ballotUuid(ballot))
    this.set(updateName, update)
    this.set(epochName, version)
  }

  mutation(table: TableSchema, key: Buffer): Buffer {
    const writer = new MutationWriter(256)
    writer.begin(key, 0, key.length)
    writer.beginUpdate(this.#paxos.id)
    const cells = this.#cells.toSorted((a, b) => a.column - b.column)
    writer.row({ isStatic: false, clustering: clusteringOf(table), marker: null, deletion: null, complexDeletions: [], cells })
    writer.endUpdate()
    return writer.end()
  }
}

export function promiseMutation(paxos: TableSchema, table: TableSchema, key: Buffer, ballot: Ballot, nowSeconds: number): Buffer {
  const row = new PaxosRow(paxos, table, ballot, nowSeconds)
  row.set("in_progress_ballot", ballotUuid(ballot))
  return row.mutation(table, key)
}

export function acceptMutation(paxos: TableSchema, table: TableSchema, key: Buffer, proposal: Proposal, nowSeconds: number): Buffer {
  const row = new PaxosRow(paxos, table, proposal.ballot, nowSeconds)
  row.set("in_progress_ballot", ballotUuid(proposal.ballot))
  row.setProposal(proposal, "proposal_ballot", "proposal", "proposal_version")
  return row.mutation(table, key)
}

/** The user's update, and that it is committed: one mutation. REQUIRES: the update is not empty. */
export function commitMutation(schema: Schema, table: TableSchema, key: Buffer, proposal: Proposal, nowSeconds: number): Buffer {
  const row = new PaxosRow(paxosTable(schema), table, proposal.ballot, nowSeconds)
  row.setProposal(proposal, "most_recent_commit_at", "most_recent_commit", "most_recent_commit_version")
  for (const name of ["proposal_ballot", "proposal", "proposal_version"]) row.set(name, null)
  const combined = combineMutations(Buffer.concat([proposal.update, row.mutation(table, key)]), 2, schema)
  assert(combined.count === 1, "the update is of the same partition")
  return combined.bytes
}
