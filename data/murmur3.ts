// Cassandra's Murmur3 partitioner: the first half of MurmurHash3 x64 128 with seed 0, with the tail bytes sign-extended
// as Cassandra does, in 32-bit halves because BigInt costs ten times as much (docs/decisions/0002).
//
// 1. Blocks of 16 bytes are mixed into h1 and h2. Most partition keys are shorter than a block.
// 2. The last 0-15 bytes are XORed in as SIGNED bytes: a byte over 0x7f flips every bit above its place too. That is
//    Cassandra's old mistake, and part of the hash ever since.
// 3. The token is h1. Long.MIN_VALUE is the ring's start and no key's token, so it becomes Long.MAX_VALUE; only the
//    empty key has it.
//
// A 64-bit word is two int32: `High` and `Low`. A 64-bit product mod 2^64 is the lower halves' full product (`imul` gives
// its lower word, `upperProduct` its upper one) plus the two crossed products in the upper word.

/** Result of the last `murmur3Token`: module variables, because a pair object per call costs more than the hash. */
export let tokenHigh = 0
export let tokenLow = 0

const C1_HIGH = 0x87c37b91 | 0
const C1_LOW = 0x114253d5 | 0
const C2_HIGH = 0x4cf5ad43 | 0
const C2_LOW = 0x2745937f | 0

/** Sets `tokenHigh` (signed) and `tokenLow` (unsigned) to the token of `source[from, from + length)`. */
export function murmur3Token(source: Uint8Array, from: number, length: number): void {
  if (length === 0) {
    tokenHigh = -0x80000000
    tokenLow = 0
    return
  }
  let h1High = 0
  let h1Low = 0
  let h2High = 0
  let h2Low = 0
  const end = from + length
  const tail = from + (length & ~15)
  for (let at = from; at < tail; at += 16) {
    mixFirst(word(source, at + 4), word(source, at))
    h1High ^= mixedHigh
    h1Low ^= mixedLow
    // h1 = (rotl(h1, 27) + h2) * 5 + 0x52dce729; the products by 5 are exact in a double.
    const sum1 = (((h1Low << 27) | (h1High >>> 5)) >>> 0) + (h2Low >>> 0)
    const high1 = (((h1High << 27) | (h1Low >>> 5)) + h2High + (sum1 > 0xffffffff ? 1 : 0)) | 0
    const product1 = (sum1 >>> 0) * 5 + 0x52dce729
    h1Low = product1 | 0
    h1High = (Math.imul(high1, 5) + ((product1 * 2 ** -32) | 0)) | 0

    mixSecond(word(source, at + 12), word(source, at + 8))
    h2High ^= mixedHigh
    h2Low ^= mixedLow
    // h2 = (rotl(h2, 31) + h1) * 5 + 0x38495ab5
    const sum2 = (((h2Low << 31) | (h2High >>> 1)) >>> 0) + (h1Low >>> 0)
    const high2 = (((h2High << 31) | (h2Low >>> 1)) + h1High + (sum2 > 0xffffffff ? 1 : 0)) | 0
    const product2 = (sum2 >>> 0) * 5 + 0x38495ab5
    h2Low = product2 | 0
    h2High = (Math.imul(high2, 5) + ((product2 * 2 ** -32) | 0)) | 0
  }
  const left = end - tail
  if (left > 8) {
    signedWord(source, tail + 8, left - 8)
    mixSecond(mixedHigh, mixedLow)
    h2High ^= mixedHigh
    h2Low ^= mixedLow
  }
  if (left > 0) {
    signedWord(source, tail, left > 8 ? 8 : left)
    mixFirst(mixedHigh, mixedLow)
    h1High ^= mixedHigh
    h1Low ^= mixedLow
  }
  finish(h1High, h1Low ^ length, h2High, h2Low ^ length)
}

// Second results of the helpers below, which TurboFan inlines.
let mixedHigh = 0
let mixedLow = 0

/** Bits 32-63 of the product of two words taken as unsigned, from four products of 16-bit halves. */
function upperProduct(a: number, b: number): number {
  const a0 = a & 0xffff
  const a1 = a >>> 16
  const b0 = b & 0xffff
  const b1 = b >>> 16
  const low = Math.imul(a0, b0) >>> 16
  const middle = Math.imul(a1, b0)
  const other = Math.imul(a0, b1)
  const sum = low + (middle & 0xffff) + (other & 0xffff)
  return (Math.imul(a1, b1) + (middle >>> 16) + (other >>> 16) + (sum >>> 16)) | 0
}

/** A little-endian word. */
function word(source: Uint8Array, at: number): number {
  return (source[at] as number) | ((source[at + 1] as number) << 8) | ((source[at + 2] as number) << 16) | ((source[at + 3] as number) << 24)
}

/** rotl(k * c1, 31) * c2 */
function mixFirst(kHigh: number, kLow: number): void {
  const high = (upperProduct(kLow, C1_LOW) + Math.imul(kHigh, C1_LOW) + Math.imul(kLow, C1_HIGH)) | 0
  const low = Math.imul(kLow, C1_LOW)
  const rotatedHigh = (high << 31) | (low >>> 1)
  const rotatedLow = (low << 31) | (high >>> 1)
  mixedHigh = (upperProduct(rotatedLow, C2_LOW) + Math.imul(rotatedHigh, C2_LOW) + Math.imul(rotatedLow, C2_HIGH)) | 0
  mixedLow = Math.imul(rotatedLow, C2_LOW)
}

/** rotl(k * c2, 33) * c1 */
function mixSecond(kHigh: number, kLow: number): void {
  const high = (upperProduct(kLow, C2_LOW) + Math.imul(kHigh, C2_LOW) + Math.imul(kLow, C2_HIGH)) | 0
  const low = Math.imul(kLow, C2_LOW)
  const rotatedHigh = (low << 1) | (high >>> 31)
  const rotatedLow = (high << 1) | (low >>> 31)
  mixedHigh = (upperProduct(rotatedLow, C1_LOW) + Math.imul(rotatedHigh, C1_LOW) + Math.imul(rotatedLow, C1_HIGH)) | 0
  mixedLow = Math.imul(rotatedLow, C1_LOW)
}

/** XORs up to 8 sign-extended bytes, each shifted to its place. */
function signedWord(source: Uint8Array, at: number, count: number): void {
  let high = 0
  let low = 0
  for (let index = count - 1; index >= 4; index--) high ^= (((source[at + index] as number) << 24) >> 24) << ((index - 4) << 3)
  for (let index = count < 4 ? count - 1 : 3; index >= 0; index--) {
    const byte = ((source[at + index] as number) << 24) >> 24
    low ^= byte << (index << 3)
    high ^= byte >> 31
  }
  mixedHigh = high
  mixedLow = low
}

/** h1 += h2; h2 += h1; both through fmix64; h1 + h2 is the token. */
function finish(h1High: number, h1Low: number, h2High: number, h2Low: number): void {
  const sum1 = (h1Low >>> 0) + (h2Low >>> 0)
  const high1 = (h1High + h2High + (sum1 > 0xffffffff ? 1 : 0)) | 0
  const sum2 = (sum1 >>> 0) + (h2Low >>> 0)
  const high2 = (high1 + h2High + (sum2 > 0xffffffff ? 1 : 0)) | 0
  finalMix(high1, sum1 | 0)
  const firstHigh = mixedHigh
  const firstLow = mixedLow
  finalMix(high2, sum2 | 0)
  const sum = (firstLow >>> 0) + (mixedLow >>> 0)
  tokenHigh = (firstHigh + mixedHigh + (sum > 0xffffffff ? 1 : 0)) | 0
  tokenLow = sum >>> 0
  if (tokenHigh === -0x80000000 && tokenLow === 0) {
    tokenHigh = 0x7fffffff
    tokenLow = 0xffffffff
  }
}

/** MurmurHash3's fmix64: k ^= k >>> 33; k *= 0xff51afd7ed558ccd; k ^= k >>> 33; k *= 0xc4ceb9fe1a85ec53; k ^= k >>> 33 */
function finalMix(kHigh: number, kLow: number): void {
  const low = kLow ^ (kHigh >>> 1)
  const high2 = (upperProduct(low, 0xed558ccd) + Math.imul(kHigh, 0xed558ccd) + Math.imul(low, 0xff51afd7)) | 0
  const low2 = Math.imul(low, 0xed558ccd) ^ (high2 >>> 1)
  const high3 = (upperProduct(low2, 0x1a85ec53) + Math.imul(high2, 0x1a85ec53) + Math.imul(low2, 0xc4ceb9fe)) | 0
  mixedHigh = high3
  mixedLow = Math.imul(low2, 0x1a85ec53) ^ (high3 >>> 1)
}
