// Keywords that cannot be names unless quoted: Cassandra's reserved list. All other keywords are names where no keyword
// is expected.

export const RESERVED_WORDS: ReadonlySet<string> = new Set(
  ("add allow alter and apply asc authorize batch begin by columnfamily create delete desc describe drop entries execute from full grant if in index " +
    "infinity insert into is keyspace limit materialized modify nan norecursive not null of on or order primary rename revoke schema select set table to " +
    "token truncate unlogged update use using view where with").split(" "),
)

/** Keywords that are names too; the only names that may be the value of a property. */
export const UNRESERVED_KEYWORDS: ReadonlySet<string> = new Set(
  ("access aggregate aggregates all as between called cast cidrs cluster clustering compact contains count custom datacenters default distinct exists " +
    "filtering finalfunc frozen function functions group hashed identity initcond input internals json key keys keyspaces language like list login map " +
    "masked maxwritetime mbean mbeans nologin nosuperuser only options partition password per permission permissions replace returns role roles select_masked " +
    "sfunc static storage stype superuser tables timestamp trigger ttl tuple type types unmask unset user users values view vector writetime").split(" "),
)

/** Names that user types may not have. */
export const RESERVED_TYPE_NAMES: ReadonlySet<string> = new Set(["byte", "complex", "enum", "interval", "macaddr", "bitstring"])
