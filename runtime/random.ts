/** The only source of randomness. `child` gives an independent generator, the same for the same name and seed. */
export interface Random {
  /** An unsigned 32-bit integer. */
  uint32(): number
  /** A float in [0, 1). */
  float(): number
  /** An integer in [0, bound). */
  below(bound: number): number
  bytes(count: number): Buffer
  /** A version 4 UUID in its canonical text form. */
  uuid(): string
  child(name: string): Random
}
