import { testGoldens } from "./goldens.ts"

testGoldens(3)
