// Reads with a secondary index, right at every consistency level.
//
// 1. As many replicas as the level asks for are asked where something is: an ordinary read of the index's hidden table
//    (entry-search.ts). Their answers are united: a match that one of them lacks is found, a match that only one of them
//    still believes in is looked at.
// 2. The rows themselves are then read by their keys at the level, like any other rows. They come merged from the replicas,
//    who are repaired on the way, and whoever asked compares them with what it wants: a stale entry brings a row that is
//    dropped there. This is what replica filtering protection is for; here nothing is filtered before it is merged.
// 3. One index is searched for a statement, however many restrictions it has: the others are compared afterwards. A row may
//    satisfy two restrictions only when two replicas' versions of it are merged, and no intersection on a replica sees that.
//
// Rows come in the order of the ring. A replica that has not built the index yet, or a search that would bring more
// than it saves, makes it a read of all rows of that part of the ring.
import { CONSISTENCY, type Consistency, ReadFailureError } from "../../cql/errors.ts"
import { type EntryPosition, comparePositions, encodeToken, shardEnd, shardKey, shardOf, shardRange, shardStart, shardToken, termPrefix } from "../../data/index-table.ts"
import type { RowSink } from "../../data/local-store.ts"
import { compareToBound } from "../../data/range-tombstones.ts"
import { type ClusteringSlice, type IndexSearch, NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import { encodeClustering } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { equalTokens, rangeContains, unwrap } from "../../data/token.ts"
import type { Placement, Token, TokenRange } from "../../data/topology.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { Completion } from "../coordinator.ts"
import type { CoordinatorDeps, TraceHolder } from "../coordinator-deps.ts"
import { FAILURE, requestErrorOf } from "../failure.ts"
import { comparePartitions } from "../reads/merged-partition.ts"
import { LOCAL_PLACEMENT } from "../cluster/placement.ts"
import { ResponseWriter, replayResponse } from "../reads/read-response.ts"
import { type RingPiece, ringPieces } from "../cluster/ring-pieces.ts"
import { type EntryQuery, EntrySearch, type EntrySearchDeps } from "./entry-search.ts"
import { GroupSink } from "./group-sink.ts"

type Read = (command: ReadCommand, consistency: Consistency, sink: RowSink, completion: Completion) => void

/** Entries of a 64th of the ring that are sorted in memory. With more of them its rows are read one after the other. */
const MAX_SORTED = 10_000
/** Entries of one partition that are looked up one by one. */
const MAX_POINTS = 2_000
/** Rows of one partition that are read at once. */
const MAX_ROWS_AT_ONCE = 500
/** Partitions that are read at once. */
const CONCURRENT_READS = 32
/** Parts of the ring that are searched at once. */
const PIECES_AHEAD = 8
/** Partitions after which other requests get their turn. */
const READS_PER_TURN = 512

/** What is read of one partition; `clusterings` null: any row may match. */
interface Candidate {
  readonly token: Token
  readonly key: Buffer
  clusterings: Buffer[] | null
}

/** A search that is on its way. */
interface BegunSearch {
  readonly first: Promise<IteratorResult<readonly EntryPosition[], void>>
  readonly rest: AsyncGenerator<readonly EntryPosition[], void>
}

/** One read with an index. */
interface IndexRead {
  readonly command: ReadCommand
  readonly search: IndexSearch
  readonly consistency: Consistency
  readonly out: GroupSink
  readsLeft: number
}

export class IndexReads implements TraceHolder {
  trace: TraceHolder["trace"] = null
  readonly #deps: CoordinatorDeps
  readonly #view: ClusterView
  readonly #entries: EntrySearch
  readonly #read: Read

  /** `read`: of commands without an index. */
  constructor(parts: EntrySearchDeps, read: Read) {
    this.#deps = parts.deps
    this.#view = parts.view
    this.#entries = new EntrySearch(parts)
    this.#read = read
  }

  /** As Coordinator.read. REQUIRES: a command with an index. */
  read(command: ReadCommand, consistency: Consistency, sink: RowSink, completion: Completion): void {
    this.trace?.event(`Executing read on ${command.table.keyspace}.${command.table.name} using index ${command.index?.index.name ?? ""}`)
    const out = new GroupSink(sink)
    const read: IndexRead = { command, search: command.index as IndexSearch, consistency, out, readsLeft: READS_PER_TURN }
    this.#run(read).then(
      () => {
        out.close()
        completion.done(null)
      },
      (error: unknown) => {
        const failure = { address: this.#view.addressOf(this.#view.self), code: FAILURE.unknown }
        completion.done(requestErrorOf(error) ?? new ReadFailureError(consistency, 0, 1, [failure], false))
      },
    )
  }

  async #run(read: IndexRead): Promise<void> {
    const { command } = read
    const { target, table } = command
    const snapshot = this.#view.snapshot()
    if (target.kind === "partition") {
      await this.#runPartition(read, target, snapshot.placement(table.keyspace, target.token.high, target.token.low))
      return
    }
    const pieces = this.#pieces(command, target.range)
    const begun: (BegunSearch | null)[] = []
    for (const [index, piece] of pieces.entries()) {
      if (this.#isDone(read)) return
      while (begun.length < Math.min(pieces.length, index + PIECES_AHEAD)) begun.push(this.#begin(read, pieces[begun.length] as RingPiece))
      if (this.#isBuilt(read, piece.placement)) await this.#runPiece(read, piece, begun[index] ?? this.#begin(read, piece))
      else await this.#scan(read, piece.range)
    }
  }

  /** Asks for the first entries of a term in a part of the ring; null: the search is not for one term, or not to be made. */
  #begin(read: IndexRead, { range, placement }: RingPiece): BegunSearch | null {
    const { command, search } = read
    if (search.term === null || !this.#isBuilt(read, placement)) return null
    const batch = Math.min(Math.max(command.limit - read.out.live, CONCURRENT_READS), 1000)
    const part = partToRead(command, range)
    const rest = this.#entries.search({ ...this.#query(read, placement), ...this.#entries.startOf(search.term, part), batch })
    const first = rest.next()
    // A search whose results nobody comes for any more may fail.
    first.catch(() => undefined)
    return { first, rest }
  }

  #query(read: IndexRead, placement: Placement): Omit<EntryQuery, "target" | "after" | "batch"> {
    const { command, search, consistency } = read
    return { search, nowSeconds: command.nowSeconds, consistency, placement, isLocal: this.#isEnough(read, placement), slices: search.slices }
  }

  #isDone({ command, out }: IndexRead): boolean {
    return out.isStopped || out.live >= command.limit
  }

  #pieces(command: ReadCommand, range: TokenRange): readonly RingPiece[] {
    const snapshot = this.#view.snapshot()
    const { keyspace } = command.table
    const placement = snapshot.placement(keyspace, range.end.high, range.end.low)
    if (placement === LOCAL_PLACEMENT) return unwrap(range).map((part) => ({ range: part, placement }))
    return ringPieces(command, snapshot.ranges(keyspace), (node) => this.#view.isAlive(node))
  }

  /** Every replica that may be asked has an entry for each of its rows. */
  #isBuilt({ search }: IndexRead, placement: Placement): boolean {
    const built = this.#view.snapshot().viewBuilds.get(search.index.table.id)
    const nodes = placement === LOCAL_PLACEMENT ? [this.#view.self] : placement.read.filter((node) => this.#view.isAlive(node))
    return nodes.every((node) => built?.get(node) === "SUCCESS")
  }

  /** Only this node is asked. */
  #isEnough({ command, consistency }: IndexRead, placement: Placement): boolean {
    if (placement === LOCAL_PLACEMENT) return true
    if (consistency === CONSISTENCY.eachQuorum || this.#view.requiredForRead(command.table.keyspace, consistency) !== 1) return false
    return placement.read.includes(this.#view.self)
  }

  async #runPartition(read: IndexRead, target: { readonly token: Token; readonly key: Uint8Array }, placement: Placement): Promise<void> {
    const { command, search } = read
    const slices = search.term === null || !this.#isBuilt(read, placement) ? null : await this.#points(read, search.term, target, placement)
    const { index: _index, ...plain } = command
    if (slices === null) await this.#readInto(plain, read.consistency, read.out)
    else if (slices.length > 0) await this.#readInto({ ...plain, slices }, read.consistency, read.out)
  }

  /** Rows of one partition that the index names, as slices; null: all that the command asks for. */
  async #points(read: IndexRead, term: Uint8Array, { token, key }: { readonly token: Token; readonly key: Uint8Array }, placement: Placement): Promise<ClusteringSlice[] | null> {
    const { command } = read
    if (command.table.clustering.length === 0) return null
    const prefix = Buffer.concat([termPrefix(term), encodeClustering([encodeToken(token)])])
    const shard = shardOf(token)
    const entries = this.#entries.search({
      ...this.#query(read, placement),
      target: { kind: "partition", token: shardToken(shard), key: shardKey(shard) }, slices: [prefixSlice(prefix)], after: null, batch: MAX_POINTS,
    })
    const points: Buffer[] = []
    for await (const batch of entries) {
      for (const position of batch) {
        if (position.key.length > 0 && !position.key.equals(key)) continue
        if (position.clustering.length === 0 || points.length >= MAX_POINTS) return null
        points.push(position.clustering)
      }
    }
    return pointSlices(command, points)
  }

  /** One part of the ring with one set of replicas. */
  async #runPiece(read: IndexRead, { range, placement }: RingPiece, begun: BegunSearch | null): Promise<void> {
    const { command } = read
    const { after } = command
    const candidates = new Candidates(command, after !== null && rangeContains(range, after.token.high, after.token.low) ? after : null)
    const part = partToRead(command, range)
    // One term: entries come in the order of the ring, so that they are read as they come.
    if (begun !== null) {
      for (let round = await begun.first; round.done !== true; round = await begun.rest.next()) {
        candidates.add(round.value.filter(({ token }) => rangeContains(part, token.high, token.low)))
        await this.#readCandidates(read, candidates, false)
        if (this.#isDone(read)) return
      }
      await this.#readCandidates(read, candidates, true)
      return
    }
    for (let left: TokenRange | null = part; left !== null && !this.#isDone(read); ) left = await this.#runShards(read, left, placement, candidates)
  }

  /**
   * Several terms: the entries of each 64th of the ring come together, but in the order of terms; they are sorted. Returns what
   * is left to search behind a 64th that has too many and was read as it is.
   */
  async #runShards(read: IndexRead, part: TokenRange, placement: Placement, candidates: Candidates): Promise<TokenRange | null> {
    const { command } = read
    let shard = -1
    let positions: EntryPosition[] = []
    const flush = async (): Promise<void> => {
      candidates.add(sortedPositions(command.table, positions))
      positions = []
      await this.#readCandidates(read, candidates, true)
    }
    const target = { kind: "range", range: shardRange(part) } as const
    for await (const found of this.#entries.search({ ...this.#query(read, placement), target, after: null, batch: 2000 })) {
      for (const position of found) {
        if (!rangeContains(part, position.token.high, position.token.low)) continue
        const its = shardOf(position.token)
        if (its !== shard) await flush()
        if (this.#isDone(read)) return null
        shard = its
        positions.push(position)
      }
      if (positions.length <= MAX_SORTED) continue
      await this.#scan(read, partOfShard(shard, part))
      return shardOf(part.end) === shard ? null : { start: shardEnd(shard), end: part.end }
    }
    await flush()
    return null
  }

  /** Reads the partitions that are known whole; the last one may get more rows unless `all`. */
  async #readCandidates(read: IndexRead, candidates: Candidates, all: boolean): Promise<void> {
    const { command, out } = read
    for (;;) {
      const left = command.limit - out.live
      if (left <= 0 || out.isStopped) return
      const group = candidates.take(left, all)
      if (group.length === 0) return
      const reads = group.flatMap((candidate) => this.#commandOf(read, candidate, left))
      const writers = await Promise.all(reads.map((one) => this.#buffered(one, read.consistency)))
      for (const writer of writers) if (!replayResponse(writer.out.view(), out)) return
      read.readsLeft -= group.length
      if (read.readsLeft > 0) continue
      read.readsLeft = READS_PER_TURN
      await this.#deps.clock.sleep(0)
    }
  }

  #commandOf({ command }: IndexRead, { token, key, clusterings }: Candidate, left: number): ReadCommand[] {
    const { index: _index, after, ...plain } = command
    // The key was too long for an entry: all partitions with this token.
    if (key.length === 0) return [{ ...plain, target: { kind: "range", range: { start: before(token), end: token } }, after: sameToken(after, token), limit: NO_LIMIT }]
    const isSame = after !== null && comparePartitions(after.token, after.key, token, key) === 0
    const target = { kind: "partition", token, key } as const
    if (clusterings === null) return [{ ...plain, target, after: isSame ? after : null, limit: left }]
    const slices = pointSlices(command, clusterings)
    return slices.length === 0 ? [] : [{ ...plain, target, slices, after: isSame ? after : null, limit: NO_LIMIT }]
  }

  async #buffered(command: ReadCommand, consistency: Consistency): Promise<ResponseWriter> {
    const writer = new ResponseWriter(512)
    await this.#readInto(command, consistency, writer)
    return writer
  }

  /** Without the index. */
  async #scan(read: IndexRead, range: TokenRange): Promise<void> {
    const { index: _index, after, ...plain } = read.command
    const goesOn = after !== null && rangeContains(range, after.token.high, after.token.low)
    const limit = read.command.limit - read.out.live
    await this.#readInto({ ...plain, target: { kind: "range", range }, after: goesOn ? after : null, limit }, read.consistency, read.out)
  }

  #readInto(command: ReadCommand, consistency: Consistency, sink: RowSink): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#read(command, consistency, sink, { done: (error) => (error === null ? resolve() : reject(error)) })
    })
  }
}

/** Positions in the order of the ring, put together to what is read of each partition. */
class Candidates {
  readonly #command: ReadCommand
  /** Where reading goes on; what is not behind it has been read. */
  readonly #after: ReadCommand["after"]
  #waiting: Candidate[] = []

  constructor(command: ReadCommand, after: ReadCommand["after"]) {
    this.#command = command
    this.#after = after
  }

  /** REQUIRES: in order, and behind what was added before. */
  add(positions: readonly EntryPosition[]): void {
    for (const { token, key, clustering } of positions) {
      if (this.#isBehind(token, key, clustering)) continue
      const last = this.#waiting.at(-1)
      const row = clustering.length === 0 ? null : clustering
      if (last === undefined || comparePartitions(last.token, last.key, token, key) !== 0) {
        // All partitions of the token are read already.
        if (last !== undefined && last.key.length === 0 && equalTokens(last.token, token)) continue
        this.#waiting.push({ token, key: Buffer.from(key), clusterings: row === null ? null : [Buffer.from(row)] })
      } else if (row === null) last.clusterings = null
      else if (last.clusterings !== null && !(last.clusterings.at(-1) as Buffer).equals(row)) last.clusterings.push(Buffer.from(row))
    }
  }

  #isBehind(token: Token, key: Buffer, clustering: Buffer): boolean {
    const after = this.#after
    if (after === null || key.length === 0) return false
    const order = comparePartitions(token, key, after.token, after.key)
    if (order !== 0) return order < 0
    if (after.clustering === null) return true
    const { clustering: done } = after
    return clustering.length > 0 && this.#command.table.compareClustering(clustering, 0, clustering.length, done, 0, done.length) <= 0
  }

  /** At most `count` partitions. The last one may get more rows: it waits unless `all`, or unless enough of its rows are there to go on with. */
  take(count: number, all: boolean): Candidate[] {
    const isEnough = (this.#waiting.at(-1)?.clusterings?.length ?? 0) >= Math.min(count, MAX_ROWS_AT_ONCE)
    return this.#waiting.splice(0, Math.min(count, CONCURRENT_READS, this.#waiting.length - (all || isEnough ? 0 : 1)))
  }
}

function sortedPositions(table: TableSchema, positions: EntryPosition[]): EntryPosition[] {
  const compare = (a: Buffer, b: Buffer): number => table.compareClustering(a, 0, a.length, b, 0, b.length)
  return positions.sort((a, b) => comparePositions(a, b, compare))
}

export function prefixSlice(prefix: Uint8Array): ClusteringSlice {
  return { start: prefix, startInclusive: true, end: prefix, endInclusive: true }
}

/** The rows that the command asks for. */
function pointSlices({ slices, table }: ReadCommand, clusterings: readonly Buffer[]): ClusteringSlice[] {
  const points: ClusteringSlice[] = []
  const compare = table.compareClustering
  const sorted = clusterings.toSorted((a, b) => compare(a, 0, a.length, b, 0, b.length))
  for (const clustering of sorted) {
    const last = points.at(-1)?.start
    if (last !== undefined && compare(last, 0, last.length, clustering, 0, clustering.length) === 0) continue
    if (slices === null || slices.some((slice) => isInside(slice, clustering, table))) points.push(prefixSlice(clustering))
  }
  return points
}

function isInside(slice: ClusteringSlice, clustering: Buffer, table: TableSchema): boolean {
  const startSide = slice.start.length === 0 || slice.startInclusive ? -1 : 1
  const endSide = slice.end.length === 0 || slice.endInclusive ? 1 : -1
  if (compareToBound(clustering, 0, clustering.length, slice.start, startSide, table.compareClustering) < 0) return false
  return compareToBound(clustering, 0, clustering.length, slice.end, endSide, table.compareClustering) < 0
}

/** The token just before. REQUIRES: not the lowest, which is no key's. */
function before(token: Token): Token {
  return token.low > 0 ? { high: token.high, low: token.low - 1 } : { high: token.high - 1, low: 0xffffffff }
}

function sameToken(after: ReadCommand["after"], token: Token): ReadCommand["after"] {
  return after !== null && equalTokens(after.token, token) ? after : null
}

/** What is left of a part of the ring behind the position that the read goes on after. */
function partToRead({ after }: ReadCommand, range: TokenRange): TokenRange {
  return after !== null && rangeContains(range, after.token.high, after.token.low) ? { start: before(after.token), end: range.end } : range
}

function partOfShard(shard: number, { start, end }: TokenRange): TokenRange {
  return { start: shardOf(start) === shard ? start : shardStart(shard), end: shardOf(end) === shard ? end : shardEnd(shard) }
}
