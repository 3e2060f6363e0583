// What a benchmark prints: one JSON line per figure as it comes, then a table of all.

/** Columns are the keys of the first row. */
export function printTable(rows: readonly Readonly<Record<string, string | number | null>>[]): void {
  const columns = Object.keys(rows[0] ?? {})
  const texts = rows.map((row) => columns.map((column) => cell(row[column] ?? null)))
  const widths = columns.map((column, index) => Math.max(column.length, ...texts.map((text) => text[index]!.length)))
  const line = (cells: readonly string[]): string => `| ${cells.map((text, index) => (index === 0 ? text.padEnd(widths[index]!) : text.padStart(widths[index]!))).join(" | ")} |`
  console.log(line(columns))
  console.log(`|${widths.map((width, index) => (index === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`)
  for (const text of texts) console.log(line(text))
}

/** Middle of an odd number of values; the lower middle of an even one. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN
}

function cell(value: string | number | null): string {
  if (value === null) return ""
  if (typeof value === "string") return value
  return value >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toFixed(2)
}
