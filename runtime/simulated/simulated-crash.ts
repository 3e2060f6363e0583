/** Thrown by every operation of a process that is already dead, to unwind what it was doing. Nobody needs to catch it: the scheduler does. */
export class SimulatedCrash extends Error {
  override readonly name = "SimulatedCrash"
}
