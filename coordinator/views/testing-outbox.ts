// For tests: an outbox with a store, a network and owners that do only what the test says.
import { ByteReader, ByteWriter } from "../../data/bytes.ts"
import type { LogPosition } from "../../data/local-store.ts"
import { mutationKey, visitMutation } from "../../data/mutation.ts"
import { decodeRow, encodeClustering } from "../../data/row-format.ts"
import { tokenOf } from "../../data/token.ts"
import { Buffer } from "../../runtime/pure.ts"
import { SimulatedClock } from "../../runtime/simulated/simulated-clock.ts"
import { encodeObligation } from "./obligation.ts"
import { type Delivery, Outbox } from "./outbox.ts"
import type { OutboxBatch } from "./outbox-batch.ts"
import { FakeStore, TestMetadata, VIEW_ID, baseRow } from "./testing.ts"

/** The view's column b. */
const B = new TestMetadata().view.columnByName.get("b")?.id

export interface Sent {
  readonly target: number
  readonly batch: number
  readonly index: number
  readonly key: string
  /** The value of column b, as it was when the entry was made. */
  readonly b: string | null
}

/** Node 1's outbox; node 1 is an owner of every view key, as 2 and 3 are. */
export class Setting implements Delivery {
  readonly clock = new SimulatedClock()
  readonly store = new FakeStore()
  readonly metadata = new TestMetadata()
  readonly alive = new Set([2, 3])
  sent: Sent[] = []
  /** Entries of each batch. */
  batches: number[] = []
  readonly outbox: Outbox
  #counter = 0

  constructor(maxOpen = 100_000) {
    this.outbox = new Outbox({
      self: 1, maxOpen, store: () => this.store, current: () => this.metadata.snapshot, clock: this.clock, delivery: this,
      liveness: { isAlive: (node) => this.alive.has(node) },
    })
    this.outbox.start()
  }
  transmit(batch: OutboxBatch, bytes: Buffer): void {
    this.batches.push(batch.entries)
    for (let at = 0, index = 0; at < bytes.length; at += bytes.readUInt32BE(at), index++) this.#note(batch, index, bytes.subarray(at))
  }

  /** A record that says that the view key `a` must hear of row p/q. */
  add(a: string, { selfWritten = true, p = "p", q = "q", position = this.store.append() }: { selfWritten?: boolean; p?: string; q?: string; position?: LogPosition } = {}): LogPosition {
    const out = new ByteWriter()
    const viewKey = [Buffer.from(a), Buffer.from(p), Buffer.from(q)]
    encodeObligation({ selfWritten, view: VIEW_ID, base: 1000, incarnation: 1, counter: ++this.#counter, token: tokenOf(Buffer.from(a)), key: Buffer.from(p), clustering: encodeClustering([Buffer.from(q)]), viewKey }, out)
    this.store.owed.set(position.segment, [...(this.store.owed.get(position.segment) ?? []), out.take()])
    this.outbox.add(out.take(), position)
    return position
  }
  addBuilt(a: string, done: () => void): void {
    this.outbox.addBuilt(
      { view: VIEW_ID, base: 1000, key: Buffer.from("p"), clustering: encodeClustering([Buffer.from("q")]), viewKey: [Buffer.from(a), Buffer.from("p"), Buffer.from("q")] },
      done,
    )
  }
  acknowledge(sent: readonly Sent[]): void {
    this.#answer(sent, false)
  }
  refuse(sent: readonly Sent[]): void {
    this.#answer(sent, true)
  }
  /** Answers the batches that these are in: each as a whole, or refusing these. */
  #answer(sent: readonly Sent[], refused: boolean): void {
    const batches = new Map<string, Sent[]>()
    for (const each of sent) batches.set(`${each.target}:${each.batch}`, [...(batches.get(`${each.target}:${each.batch}`) ?? []), each])
    for (const entries of batches.values()) {
      const { target, batch } = entries[0] as Sent
      this.outbox.answered(target, batch, refused ? entries.map(({ index }) => index) : [])
    }
  }
  async pass(ms = 0): Promise<void> {
    await this.clock.run(this.clock.scheduler.nowMicros / 1000 + ms)
  }
  /** What was sent since the last call, as "target key=b". */
  take(): string[] {
    const texts = this.sent.map(({ target, key, b }) => `${target} ${key}=${b}`)
    this.sent = []
    return texts
  }

  #note({ target, number }: OutboxBatch, index: number, mutation: Buffer): void {
    visitMutation(new ByteReader(mutation), {
      update: () => undefined,
      item: (bytes, from, to) => {
        const cell = decodeRow(new ByteReader(bytes, from, to)).cells.find(({ column }) => column === B)
        this.sent.push({ target, batch: number, index, key: mutationKey(mutation).toString(), b: cell?.value === undefined || cell.value === null ? null : Buffer.from(cell.value).toString() })
      },
    })
  }
}

export function start(b = "1", maxOpen?: number): Setting {
  const setting = new Setting(maxOpen)
  setting.store.put("p", baseRow("q", 5, { a: "x", b }))
  return setting
}
