// Where the parts of a mutation lie (data/mutation.ts describes the layout), for code that reads it in place.
import type { Buffer } from "../runtime/pure.ts"
import { readUint16, readUint32 } from "../data/bytes.ts"

export const MUTATION_UPDATES_AT = 6
export const MUTATION_TOKEN_AT = 8
export const MUTATION_KEY_AT = 18
export const UPDATE_HEADER_BYTES = 10
const DELETION_BYTES = 12
export const ITEM_HEADER_BYTES = 8

export function keyEnd(bytes: Buffer, at: number): number {
  return at + MUTATION_KEY_AT + readUint16(bytes, at + 16)
}
/** Start of the update behind the one at `update`. */
export function updateEnd(bytes: Buffer, update: number): number {
  return update + 8 + readUint32(bytes, update + 4)
}
export function hasPartitionDeletion(bytes: Buffer, update: number): boolean {
  return ((bytes[update + 8] as number) & 1) !== 0
}
/** Where the u32 count of items stands; the items follow. */
export function itemsAt(bytes: Buffer, update: number): number {
  return update + UPDATE_HEADER_BYTES + (hasPartitionDeletion(bytes, update) ? DELETION_BYTES : 0)
}
