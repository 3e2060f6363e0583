// Spares the building of a view the work of every replica sending every entry. Each range is built by the first of its
// replicas; another replica whose rows in the range are the same owes nothing more, since whatever it would tell any view
// key has been told. That is asked by digest, when the first has built the range. Whoever differs, or gets no answer,
// builds the range itself. (views.md, 4.8, for a range at a time.)
//
// VERB.buildDigest: u32 view, i64 start token, i64 end token.
// VERB.buildDigestAnswer, to the same request id: u8 state (0: not built yet, 1: built), 16 bytes of digest when built.
// Versions: the transport's handshake fixes them. 1: this one.
import { ByteReader } from "../../data/bytes.ts"
import type { LocalStore } from "../../data/local-store.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { TokenRange } from "../../data/topology.ts"
import type { Clock, Timer } from "../../runtime/clock.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { ClusterMetadata, Liveness } from "../cluster/cluster-metadata.ts"
import { type Message, type MessageRouter, VERB } from "../messages.ts"
import { digestRows } from "./row-walk.ts"

const ANSWER_TIMEOUT_MS = 5000
const ASK_AGAIN_MS = 100

type Answer = { readonly state: "pending" } | { readonly state: "built"; readonly digest: Buffer } | { readonly state: "silent" }

export interface BuildAgreementOptions {
  readonly router: MessageRouter
  readonly store: () => LocalStore
  readonly metadata: ClusterMetadata
  readonly liveness: Liveness
  readonly clock: Clock
}

export class BuildAgreement {
  readonly #options: BuildAgreementOptions
  /** View to the ranges this node has built, as `nameOf`. */
  readonly #built = new Map<number, Set<string>>()
  readonly #asked = new Map<number, { readonly resolve: (answer: Answer) => void; readonly timer: Timer }>()
  #lastRequest = 0

  constructor(options: BuildAgreementOptions) {
    this.#options = options
    options.router.handle(VERB.buildDigest, (message) => this.#question(message))
    options.router.handle(VERB.buildDigestAnswer, (message) => this.#answered(message))
  }

  /** Every entry of the range is durable at its owners. */
  built(view: number, range: TokenRange): void {
    let ranges = this.#built.get(view)
    if (ranges === undefined) this.#built.set(view, (ranges = new Set()))
    ranges.add(nameOf(range))
  }

  forget(view: number): void {
    this.#built.delete(view)
  }

  /** True when `node` has built the range from the rows that this node has too. `goesOn` false: nobody needs the answer any more. */
  async hasBuilt(node: number, view: number, base: TableSchema, range: TokenRange, goesOn: () => boolean): Promise<boolean> {
    const { liveness, clock, store } = this.#options
    while (goesOn() && liveness.isAlive(node)) {
      const answer = await this.#ask(node, view, range)
      if (answer.state === "silent") return false
      if (answer.state === "built") return answer.digest.equals(await digestRows(store(), base, range))
      await clock.sleep(ASK_AGAIN_MS)
    }
    return false
  }

  #ask(node: number, view: number, range: TokenRange): Promise<Answer> {
    const { router, clock } = this.#options
    const requestId = ++this.#lastRequest
    return new Promise((resolve) => {
      const timer = clock.after(ANSWER_TIMEOUT_MS, () => {
        this.#asked.delete(requestId)
        resolve({ state: "silent" })
      })
      this.#asked.set(requestId, { resolve, timer })
      const out = router.begin(VERB.buildDigest, 0, requestId)
      out.uint32(view)
      out.timestamp(range.start.high, range.start.low)
      out.timestamp(range.end.high, range.end.low)
      router.send(node)
    })
  }

  #question(message: Message): void {
    const reader = new ByteReader(message.bytes, message.at)
    const viewId = reader.uint32("view")
    const start = { high: reader.int32("start"), low: reader.uint32("start") }
    const range = { start, end: { high: reader.int32("end"), low: reader.uint32("end") } }
    const { from, requestId } = message
    const { schema, viewBuilds } = this.#options.metadata.current()
    const view = schema.tableById(viewId)
    const base = view?.view === null || view?.view === undefined ? null : schema.tableById(view.view.baseTable)
    // A node that has built the whole view does not remember the ranges after a restart.
    const isBuilt = this.#built.get(viewId)?.has(nameOf(range)) === true || viewBuilds.get(viewId)?.get(this.#options.router.self) === "SUCCESS"
    if (base === null || !isBuilt) {
      this.#answer(from, requestId, null)
      return
    }
    // A read that fails is not answered: the other builds the range itself.
    digestRows(this.#options.store(), base, range).then((digest) => this.#answer(from, requestId, digest), () => undefined)
  }

  #answer(to: number, requestId: number, digest: Buffer | null): void {
    const out = this.#options.router.begin(VERB.buildDigestAnswer, 0, requestId)
    out.uint8(digest === null ? 0 : 1)
    if (digest !== null) out.bytes(digest)
    this.#options.router.send(to)
  }

  #answered(message: Message): void {
    const asked = this.#asked.get(message.requestId)
    if (asked === undefined) return
    this.#asked.delete(message.requestId)
    this.#options.clock.cancel(asked.timer)
    const reader = new ByteReader(message.bytes, message.at)
    asked.resolve(reader.uint8("state") === 0 ? { state: "pending" } : { state: "built", digest: Buffer.from(reader.bytes(16, "digest")) })
  }
}

function nameOf(range: TokenRange): string {
  return `${range.start.high}:${range.start.low}:${range.end.high}:${range.end.low}`
}
