// CQL's reserved words: names that are not to be had without quotes.

const RESERVED = new Set(
  ("add allow alter and apply asc authorize batch begin by columnfamily create default delete desc describe drop entries execute from full grant " +
    "if in index infinity insert into is keyspace limit materialized mbean mbeans modify nan norecursive not null of on or order primary rename " +
    "replace revoke schema select set table to token truncate unlogged unset update use using view where with").split(" "),
)

/** REQUIRES: lower case. */
export function isReservedWord(word: string): boolean {
  return RESERVED.has(word)
}
