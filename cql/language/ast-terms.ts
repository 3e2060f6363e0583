// Terms and selectables: the expressions of CQL. Plain data discriminated by `kind`, never changed once it is made.
//
// A Term stands where a value is written (VALUES, WHERE, SET, LIMIT); it never names a column. A Selectable stands in a
// SELECT clause; it has all the nodes of a Term and those that read columns. The composite nodes are therefore generic
// in what they are made of, and every Term is a Selectable.

/** A type as it is written; user types are not looked up yet. */
export type TypeNode =
  | { readonly kind: "native"; readonly name: string }
  | { readonly kind: "list"; readonly element: TypeNode }
  | { readonly kind: "set"; readonly element: TypeNode }
  | { readonly kind: "map"; readonly key: TypeNode; readonly value: TypeNode }
  | { readonly kind: "tuple"; readonly elements: readonly TypeNode[] }
  | { readonly kind: "vector"; readonly element: TypeNode; readonly dimension: number }
  | { readonly kind: "frozen"; readonly type: TypeNode }
  | { readonly kind: "user"; readonly keyspace: string | null; readonly name: string }
  /** A quoted class name. */
  | { readonly kind: "custom"; readonly className: string }

/** How a constant was written; Cassandra's names in its messages are these in upper case. */
export type ConstantType = "string" | "integer" | "float" | "boolean" | "duration" | "uuid" | "hex"

export interface Constant {
  readonly kind: "constant"
  readonly type: ConstantType
  /** Strings without quotes and with doubled quotes resolved; everything else as written (a sign included), `0x` of hex too. */
  readonly text: string
}
export interface NullTerm {
  readonly kind: "null"
}
export interface BindMarker {
  readonly kind: "marker"
  /** Position among all markers of the statement, from 0. A name that occurs twice is two markers. */
  readonly index: number
  /** Null for `?`. */
  readonly name: string | null
}

/** `keyspace` null: a native function, or one of the session's keyspace. */
export interface FunctionName {
  readonly keyspace: string | null
  readonly name: string
}

/** `[a, b]`: a list or a vector. */
export interface ListNode<E> {
  readonly kind: "list"
  readonly elements: readonly E[]
}
/** `{a, b}`. */
export interface SetNode<E> {
  readonly kind: "set"
  readonly elements: readonly E[]
}
/** `{k: v}`; `{}` too, which may also be an empty set or user type. In a Selectable, keys that are columns may be the fields of a user type. */
export interface MapNode<E> {
  readonly kind: "map"
  readonly entries: readonly MapEntryNode<E>[]
}
export interface MapEntryNode<E> {
  readonly key: E
  readonly value: E
}
/** `{field: v}`. Terms only; see MapNode. */
export interface UserTypeNode<E> {
  readonly kind: "udt"
  readonly fields: readonly { readonly name: string; readonly value: E }[]
}
/** `(a, b)`. With one element possibly only parentheses: its context tells. */
export interface TupleNode<E> {
  readonly kind: "tuple"
  readonly elements: readonly E[]
}
export interface FunctionNode<E> {
  readonly kind: "function"
  readonly name: FunctionName
  readonly arguments: readonly E[]
}
/** `(type) a`. */
export interface TypeHintNode<E> {
  readonly kind: "typeHint"
  readonly type: TypeNode
  readonly operand: E
}
/** `CAST(a AS type)`. */
export interface CastNode<E> {
  readonly kind: "cast"
  readonly operand: E
  readonly type: TypeNode
}
export interface ArithmeticNode<E> {
  readonly kind: "arithmetic"
  readonly operator: "+" | "-" | "*" | "/" | "%"
  readonly left: E
  readonly right: E
}
/** `-a`, where `a` is not a number (that is a Constant with a sign). */
export interface NegationNode<E> {
  readonly kind: "negation"
  readonly operand: E
}

export type Term =
  | Constant
  | NullTerm
  | BindMarker
  | ListNode<Term>
  | SetNode<Term>
  | MapNode<Term>
  | UserTypeNode<Term>
  | TupleNode<Term>
  | FunctionNode<Term>
  | TypeHintNode<Term>
  | CastNode<Term>
  | ArithmeticNode<Term>
  | NegationNode<Term>

export interface ColumnNode {
  readonly kind: "column"
  readonly name: string
}
/** `COUNT(*)`; also written `COUNT(1)`. */
export interface CountRowsNode {
  readonly kind: "countRows"
}
/** `WRITETIME(c)`, `MAXWRITETIME(c)`, `TTL(c)`; the operand is a column, an element, a slice or a field of one. */
export interface CellAttributeNode {
  readonly kind: "cellAttribute"
  readonly attribute: "writetime" | "maxwritetime" | "ttl"
  readonly operand: Selectable
}
/** `a.field`. */
export interface FieldNode {
  readonly kind: "field"
  readonly operand: Selectable
  readonly field: string
}
/** `a[key]`. */
export interface ElementNode {
  readonly kind: "element"
  readonly operand: Selectable
  readonly key: Term
}
/** `a[from..to]`; null is open. */
export interface SliceNode {
  readonly kind: "slice"
  readonly operand: Selectable
  readonly from: Term | null
  readonly to: Term | null
}

export type Selectable =
  | Constant
  | NullTerm
  | BindMarker
  | ListNode<Selectable>
  | SetNode<Selectable>
  | MapNode<Selectable>
  | UserTypeNode<Selectable>
  | TupleNode<Selectable>
  | FunctionNode<Selectable>
  | TypeHintNode<Selectable>
  | CastNode<Selectable>
  | ArithmeticNode<Selectable>
  | NegationNode<Selectable>
  | ColumnNode
  | CountRowsNode
  | CellAttributeNode
  | FieldNode
  | ElementNode
  | SliceNode
