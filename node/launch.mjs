#!/usr/bin/env node
// The first file that runs, in plain JavaScript, so that an older Node.js gets one clear sentence and not a syntax error.
import * as module from "node:module"

const major = Number(process.versions.node.split(".")[0])
if (major < 24) {
  console.error(`Belvedere needs Node.js 24 or newer, and this is ${process.version}: run it through npm or npx (the right one is installed with the package), or install Node.js 24.`)
  process.exit(1)
}
// The compiled form of every module is kept on disk: the second start loads in half the time.
module.enableCompileCache()
const { main } = await import("./main.ts")
await main(process.argv)
