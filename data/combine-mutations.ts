export function combineMutations(_mutations: Buffer, _count: number, _schema: unknown): { bytes: Buffer; count: number } {
  throw new Error("coming")
}
