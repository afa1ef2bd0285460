const WIDTH = 62

/** The steps of a demonstration: each is run, timed and printed with what came of it. */
export class Story {
  readonly #startMs = performance.now()
  #steps = 0

  /** Steps begun so far. */
  get steps(): number {
    return this.#steps
  }

  /** Time since the story began, for people. */
  get elapsed(): string {
    return seconds(performance.now() - this.#startMs)
  }

  /** Runs one step and prints how it went; what it returns is shown behind it. */
  async step(what: string, run: () => Promise<string>): Promise<void> {
    this.#steps += 1
    const fromMs = performance.now()
    const label = `${String(this.#steps).padStart(2)}  ${what}`.padEnd(WIDTH)
    try {
      const result = await run()
      console.log(`${label} ✓ ${seconds(performance.now() - fromMs)}  ${result}`)
    } catch (error) {
      console.log(`${label} ✗ ${seconds(performance.now() - fromMs)}`)
      throw error
    }
  }
}

/** Tells a story to its end and says how it went; the process ends with code 0 only when every step was as promised. */
export async function tellStory(
  story: Story,
  tell: () => Promise<void>,
  clean: () => Promise<void>,
): Promise<void> {
  try {
    await tell()
    console.log(`\nall ${story.steps} steps as promised, after ${story.elapsed}`)
  } catch (error) {
    console.log(`    ${(error as Error).message}\n\nthe demo failed at step ${story.steps}`)
    process.exitCode = 1
  } finally {
    await clean()
  }
}

/** Fails the step with `otherwise` unless the condition holds. */
export function expect(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}
