// Cassandra's Murmur3 partitioner: the first half of MurmurHash3 x64 128, with the tail bytes sign-extended as
// Cassandra does, in 32-bit halves because BigInt costs ten times as much (docs/decisions/0002).

/** Result of the last `murmur3Token`: module variables, because a pair object per call costs more than the hash. */
export let tokenHigh = 0
export let tokenLow = 0

/** Sets `tokenHigh` (signed) and `tokenLow` (unsigned) to the token of `source[from, from + length)`. */
export function murmur3Token(_source: Uint8Array, _from: number, _length: number): void {
  tokenHigh = 0
  tokenLow = 0
  throw new Error("not yet")
}
