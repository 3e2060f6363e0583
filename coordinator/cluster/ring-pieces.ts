// Cuts a range read into pieces that each have one set of replicas, in token order.
import { compareInt64 } from "../../data/timestamp.ts"
import { MAX_TOKEN, MIN_TOKEN, compareTokens, equalTokens, unwrap } from "../../data/token.ts"
import type { ReadCommand } from "../../data/read-command.ts"
import type { Placement, Token, TokenRange } from "../../data/topology.ts"
import type { NodeId } from "../../runtime/network.ts"
import type { PlacedRange } from "./placement.ts"

export interface RingPiece {
  readonly range: TokenRange
  readonly placement: Placement
}

/**
 * REQUIRES: a command for a range. `ring`: every range of the ring in token order. Neighbours with the same live
 * replicas become one piece; what lies before `after` is left out.
 */
export function ringPieces(command: ReadCommand, ring: readonly PlacedRange[], isAlive: (node: NodeId) => boolean): RingPiece[] {
  const { target, after } = command
  const wanted = target.kind === "range" ? unwrap(target.range) : []
  const pieces: RingPiece[] = []
  let last = ""
  for (const part of wanted) {
    for (const placed of flattened(ring)) {
      const start = later(part.start, placed.range.start)
      const end = earlier(part.end, placed.range.end)
      if (compareTokens(start, end) >= 0) continue
      // The partition that was seen last may have more rows, and others may share its token.
      if (after !== null && compareInt64(after.token.high, after.token.low, end.high, end.low) > 0) continue
      const live = placed.placement.read.filter(isAlive).sort((a, b) => a - b).join()
      const before = pieces.at(-1)
      if (before !== undefined && last === live && equalTokens(before.range.end, start)) {
        pieces[pieces.length - 1] = { range: { start: before.range.start, end }, placement: before.placement }
      } else pieces.push({ range: { start, end }, placement: placed.placement })
      last = live
    }
  }
  return pieces
}

/** The ring's ranges without the one that wraps around, ascending. */
function flattened(ring: readonly PlacedRange[]): RingPiece[] {
  const pieces: RingPiece[] = []
  let last: RingPiece | null = null
  for (const { startHigh, startLow, endHigh, endLow, placement } of ring) {
    const start = { high: startHigh, low: startLow }
    const end = { high: endHigh, low: endLow }
    if (compareTokens(start, end) < 0) pieces.push({ range: { start, end }, placement })
    else {
      if (compareTokens(MIN_TOKEN, end) < 0) pieces.push({ range: { start: MIN_TOKEN, end }, placement })
      if (compareTokens(start, MAX_TOKEN) < 0) last = { range: { start, end: MAX_TOKEN }, placement }
    }
  }
  if (last !== null) pieces.push(last)
  return pieces
}

function later(a: Token, b: Token): Token {
  return compareTokens(a, b) >= 0 ? a : b
}
function earlier(a: Token, b: Token): Token {
  return compareTokens(a, b) <= 0 ? a : b
}
