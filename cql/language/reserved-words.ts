// Keywords that cannot be names unless quoted: Cassandra's reserved list. All other keywords are names where no keyword
// is expected.

export const RESERVED_WORDS: ReadonlySet<string> = new Set(
  ("add allow alter and apply asc authorize batch begin by columnfamily create delete desc describe drop entries execute from full grant if in index " +
    "infinity insert into is keyspace limit materialized modify nan norecursive not null of on or order primary rename revoke schema select set table to " +
    "token truncate unlogged update use using view where with").split(" "),
)

/** Names that user types may not have. */
export const RESERVED_TYPE_NAMES: ReadonlySet<string> = new Set(["byte", "complex", "enum", "interval", "macaddr", "bitstring"])
