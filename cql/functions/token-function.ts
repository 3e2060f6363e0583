import { Buffer } from "../../runtime/pure.ts"
import { murmur3Token, tokenHigh, tokenLow } from "../../data/murmur3.ts"
import { serializePartitionKey } from "../../data/partition-key.ts"
import type { FunctionArgument, FunctionSite, ScalarFunction } from "./function.ts"
import { native } from "./function.ts"

/** token(): the partitioner's token of a partition key of the statement's table. */
export function tokenFunction(_args: readonly FunctionArgument[], site: FunctionSite): ScalarFunction | null {
  const table = site.table
  if (table === null) return null
  return {
    kind: "scalar", name: "token", argumentTypes: table.partitionKey.map((column) => column.type), returnType: native("bigint"), deterministic: true,
    execute: (args) => {
      if (args.includes(null)) return null
      const key = serializePartitionKey(args as readonly Uint8Array[])
      murmur3Token(key, 0, key.length)
      const token = Buffer.allocUnsafe(8)
      token.writeInt32BE(tokenHigh, 0)
      token.writeUInt32BE(tokenLow, 4)
      return token
    },
  }
}
