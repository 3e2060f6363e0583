// Acceptors and proposers without a cluster: messages in a bag, taken out in any order, lost, or delivered twice.
//
// Law 1: no two values are decided under one ballot, and each value decided builds on the one decided before it: a register
//        that every proposer reads and adds its own name to holds every name that was decided, each once.
// Law 2: an update that was told to be uncertain is in the register or not; one that was told to be contended never is.
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Buffer } from "../../runtime/pure.ts"
import { type AcceptorState, NO_STATE, type PrepareAnswer, type Proposal, type ProposeAnswer, commit, prepare, propose } from "./acceptor.ts"
import { type Ballot, ballotOfUuid, ballotUuid } from "./ballot.ts"
import { type Effect, ProposerRound } from "./proposer-round.ts"

const value = (text: string): Buffer => Buffer.from(text)
const proposal = (micros: number, node: number, text: string): Proposal => ({ ballot: { micros, node }, epoch: 1, update: value(text) })

describe("an acceptor", () => {
  test("promises later ballots only, and the same one again", () => {
    const first = prepare(NO_STATE, { micros: 5, node: 1 })
    expect(first.answer.promised).toBe(true)
    expect(prepare(first.state, { micros: 4, node: 9 }).answer).toMatchObject({ promised: false, ballot: { micros: 5, node: 1 } })
    expect(prepare(first.state, { micros: 5, node: 2 }).answer.promised).toBe(false)
    const again = prepare(first.state, { micros: 5, node: 1 })
    expect(again.answer.promised).toBe(true)
    expect(again.state).toBe(first.state)
  })

  test("accepts what it promised or later, and tells it to the next proposer", () => {
    const promised = prepare(NO_STATE, { micros: 5, node: 1 }).state
    expect(propose(promised, proposal(4, 1, "old")).answer).toEqual({ accepted: false, ballot: { micros: 5, node: 1 } })
    const accepted = propose(promised, proposal(5, 1, "a"))
    expect(accepted.answer.accepted).toBe(true)
    expect(prepare(accepted.state, { micros: 6, node: 2 }).answer.accepted).toEqual(proposal(5, 1, "a"))
    expect(propose(NO_STATE, proposal(7, 1, "unasked")).answer.accepted).toBe(true)
  })

  test("a commit settles proposals up to it, and an older commit changes nothing", () => {
    const accepted = propose(NO_STATE, proposal(5, 1, "a")).state
    const committed = commit(accepted, proposal(5, 1, "a"))
    expect(committed).toEqual({ promised: { micros: 5, node: 1 }, accepted: null, committed: proposal(5, 1, "a") })
    expect(commit(committed, proposal(3, 1, "older")).committed).toEqual(proposal(5, 1, "a"))
    expect(commit(propose(NO_STATE, proposal(9, 1, "later")).state, proposal(5, 1, "a")).accepted).toEqual(proposal(9, 1, "later"))
  })
})

describe("a proposer", () => {
  const free: PrepareAnswer = { promised: true, ballot: { micros: 10, node: 1 }, accepted: null, committed: null }
  const round = (): ProposerRound => new ProposerRound({ micros: 10, node: 1 }, [1, 2, 3], 2)

  test("is ready with a quorum of promises", () => {
    const at = round()
    expect(at.prepared(1, free)).toBeNull()
    expect(at.prepared(1, free)).toBeNull()
    expect(at.prepared(2, free)).toEqual({ kind: "ready" })
  })

  test("finishes what another left accepted", () => {
    const at = round()
    at.prepared(1, { ...free, accepted: proposal(5, 2, "theirs") })
    expect(at.prepared(2, free)).toEqual({ kind: "propose", proposal: { ...proposal(10, 1, "theirs") } })
    at.proposed(1, { accepted: true, ballot: null })
    expect(at.proposed(3, { accepted: true, ballot: null })).toMatchObject({ kind: "finished", proposal: { update: value("theirs") } })
  })

  test("does not finish what is committed or empty, and tells who missed the commit", () => {
    const at = round()
    at.prepared(1, { ...free, accepted: proposal(5, 2, "old"), committed: proposal(6, 2, "new") })
    expect(at.prepared(2, { ...free, committed: proposal(4, 2, "older") })).toEqual({ kind: "repair", commit: proposal(6, 2, "new"), nodes: [2] })
    const empty = round()
    empty.prepared(1, { ...free, accepted: proposal(7, 2, "") })
    expect(empty.prepared(2, { ...free, accepted: proposal(5, 3, "superseded") })).toEqual({ kind: "ready" })
  })

  test("a refusal by all is contention, by some uncertainty; an empty proposal is never uncertain", () => {
    const refused: ProposeAnswer = { accepted: false, ballot: { micros: 20, node: 3 } }
    const ready = (): ProposerRound => {
      const at = round()
      at.prepared(1, free)
      at.prepared(2, free)
      return at
    }
    const nobody = ready()
    nobody.propose(value("x"), 1)
    expect(nobody.proposed(1, refused)).toBeNull()
    expect(nobody.proposed(2, refused)).toBeNull()
    expect(nobody.proposed(3, refused)).toEqual({ kind: "contended", newest: { micros: 20, node: 3 } })
    const some = ready()
    some.propose(value("x"), 1)
    some.proposed(1, { accepted: true, ballot: null })
    some.proposed(2, refused)
    expect(some.proposed(3, refused)).toEqual({ kind: "uncertain", accepted: 1 })
    const empty = ready()
    empty.propose(value(""), 1)
    empty.proposed(1, { accepted: true, ballot: null })
    empty.proposed(2, refused)
    expect(empty.proposed(3, refused)).toMatchObject({ kind: "contended" })
    const silent = ready()
    silent.propose(value("x"), 1)
    expect(silent.expire()).toEqual({ kind: "uncertain", accepted: 0 })
  })
})

test("ballots are kept in time UUIDs", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 52 }), fc.integer({ min: 0, max: 0xffffffff }), (micros, node) => {
    expect(ballotOfUuid(ballotUuid({ micros, node }))).toEqual({ micros, node })
  }))
})

const NODES = [0, 1, 2]
const QUORUM = 2

type Packet =
  | { readonly kind: "prepare"; readonly to: number; readonly proposer: number; readonly ballot: Ballot }
  | { readonly kind: "propose"; readonly to: number; readonly proposer: number; readonly proposal: Proposal }
  | { readonly kind: "commit"; readonly to: number; readonly proposal: Proposal }
  | { readonly kind: "promise"; readonly from: number; readonly to: number; readonly ballot: Ballot; readonly answer: PrepareAnswer }
  | { readonly kind: "accepted"; readonly from: number; readonly to: number; readonly ballot: Ballot; readonly answer: ProposeAnswer }

/** Three acceptors that apply commits to a register each, and three proposers that append their names to it. */
class World {
  readonly states: AcceptorState[] = NODES.map(() => NO_STATE)
  /** The newest committed value of each acceptor, as its storage would keep it: by ballot. */
  readonly registers: Proposal[] = NODES.map(() => proposal(0, 0, ""))
  readonly rounds: (ProposerRound | null)[] = NODES.map(() => null)
  readonly names: (string | null)[] = NODES.map(() => null)
  packets: Packet[] = []
  readonly decided = new Map<number, string>()
  readonly mustBeIn = new Set<string>()
  readonly mustNotBeIn = new Set<string>()
  #micros = 0
  #name = 0

  begin(proposer: number): void {
    this.#fail(proposer, false)
    const ballot = { micros: this.#micros += 1 + (proposer % 2), node: proposer }
    this.rounds[proposer] = new ProposerRound(ballot, NODES, QUORUM)
    for (const to of NODES) this.packets.push({ kind: "prepare", to, proposer, ballot })
  }

  /** What a proposer has open is over; `contended`: it knows that nothing of it will be decided. */
  #fail(proposer: number, contended: boolean): void {
    const name = this.names[proposer]
    if (name !== null && name !== undefined && contended) this.mustNotBeIn.add(name)
    this.names[proposer] = null
    this.rounds[proposer] = null
  }

  deliver(packet: Packet): void {
    switch (packet.kind) {
      case "prepare": {
        const { state, answer } = prepare(this.states[packet.to] as AcceptorState, packet.ballot)
        this.states[packet.to] = state
        this.packets.push({ kind: "promise", from: packet.to, to: packet.proposer, ballot: packet.ballot, answer })
        break
      }
      case "propose": {
        const { state, answer } = propose(this.states[packet.to] as AcceptorState, packet.proposal)
        this.states[packet.to] = state
        this.packets.push({ kind: "accepted", from: packet.to, to: packet.proposer, ballot: packet.proposal.ballot, answer })
        break
      }
      case "commit":
        this.#commit(packet.to, packet.proposal)
        break
      case "promise":
      case "accepted": {
        const round = this.rounds[packet.to]
        if (round === null || round === undefined || round.ballot.micros !== packet.ballot.micros) return
        const effect = packet.kind === "promise" ? round.prepared(packet.from, packet.answer) : round.proposed(packet.from, packet.answer)
        if (effect !== null) this.#run(packet.to, round, effect)
      }
    }
  }

  #commit(node: number, given: Proposal): void {
    this.states[node] = commit(this.states[node] as AcceptorState, given)
    if (given.ballot.micros > (this.registers[node] as Proposal).ballot.micros) this.registers[node] = given
  }

  #run(proposer: number, round: ProposerRound, effect: Effect): void {
    switch (effect.kind) {
      case "repair":
        for (const node of effect.nodes) this.#commit(node, effect.commit)
        this.#run(proposer, round, { kind: "ready" })
        break
      case "ready": {
        // A read at a quorum: the promises' quorum has every commit, but the newest register of any two may be read.
        const read = [this.registers[proposer], this.registers[(proposer + 1) % 3]].reduce((a, b) => ((a as Proposal).ballot.micros >= (b as Proposal).ballot.micros ? a : b)) as Proposal
        const name = `${this.#name++};`
        this.names[proposer] = name
        this.#run(proposer, round, round.propose(Buffer.concat([read.update, value(name)]), 1))
        break
      }
      case "propose":
        for (const to of NODES) this.packets.push({ kind: "propose", to, proposer, proposal: effect.proposal })
        break
      case "finished":
      case "decided":
        this.#decide(effect.proposal)
        if (effect.kind === "decided") this.mustBeIn.add(this.names[proposer] as string)
        this.#fail(proposer, false)
        for (const to of NODES) this.packets.push({ kind: "commit", to, proposal: effect.proposal })
        break
      case "contended":
        this.#fail(proposer, true)
        break
      case "uncertain":
        this.#fail(proposer, false)
    }
  }

  #decide({ ballot, update }: Proposal): void {
    const known = this.decided.get(ballot.micros)
    if (known !== undefined && known !== update.toString()) throw new Error(`two values decided under ${ballot.micros}`)
    this.decided.set(ballot.micros, update.toString())
  }

  check(): void {
    let before = ""
    for (const [, text] of [...this.decided].toSorted(([a], [b]) => a - b)) {
      // A value is decided again under a later ballot when its commit was lost.
      if (!text.startsWith(before)) throw new Error(`"${text}" was decided after "${before}"`)
      before = text
    }
    const names = before.split(";").filter((name) => name !== "").map((name) => `${name};`)
    expect(new Set(names).size).toBe(names.length)
    for (const name of this.mustBeIn) expect(names).toContain(name)
    for (const name of this.mustNotBeIn) expect(names).not.toContain(name)
  }
}

test("laws 1 and 2: lost, repeated and reordered messages", () => {
  let decisions = 0
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat({ max: 99 }), fc.nat({ max: 1000 })), { minLength: 50, maxLength: 400 }), (steps) => {
      const world = new World()
      for (const [choice, index] of steps) {
        if (choice < 8 || world.packets.length === 0) world.begin(index % 3)
        else {
          const at = index % world.packets.length
          const packet = world.packets[at] as Packet
          // One in ten is lost, one in ten stays in the bag.
          if (choice >= 18) world.packets.splice(at, 1)
          if (choice < 90) world.deliver(packet)
        }
      }
      world.check()
      decisions += world.decided.size
    }),
    { numRuns: 400, seed: 7 },
  )
  expect(decisions).toBeGreaterThan(300)
})
