import { bad, good, untried, type Answer } from '../../../../lib/checks/answer.js'
import { Attempt, type Asker, type Probe, type Resource } from '../../../../lib/checks/attempt.js'
import type { RunningClock } from '../../../../lib/checks/clock.js'

class FakeAttempt extends Attempt {
  constructor(clock: RunningClock, asker: Asker, readonly probe: FakeProbe) {
    super(clock, asker, probe.timeout)
  }

  /** The test gives the answer. */
  override answer(answer: Answer): void {
    super.answer(answer)
  }

  protected missing(): string {
    return 'no answer'
  }

  protected close(): void {
    this.probe.open.delete(this)
  }
}

/** A check that answers what the test says, when it says, and tells when it was asked. */
export class FakeProbe implements Probe {
  readonly what: string
  readonly open = new Set<FakeAttempt>()
  /** When it was asked, in milliseconds of the fake time. */
  readonly asked: number[] = []

  /**
   * @param answers '+' good, '-' bad, '?' could not be tried, '.' silence; one for each time, the last one for ever.
   * @param takes Milliseconds until the answer; 0 for at once.
   */
  constructor(public answers: string, readonly takes = 0, readonly timeout = 1_000, readonly uses: Resource = 'socket', name = 'fake') {
    this.what = name
  }

  start(clock: RunningClock, asker: Asker): Attempt {
    const kind = this.answers[Math.min(this.asked.length, this.answers.length - 1)]
    this.asked.push(performance.now())
    const attempt = new FakeAttempt(clock, asker, this)
    this.open.add(attempt)
    if (kind === '.') return attempt
    const answer = { '+': good('fine'), '-': bad('broken'), '?': untried('no descriptor') }[kind]!
    if (this.takes === 0) attempt.answer(answer)
    else setTimeout(() => attempt.answer(answer), this.takes)
    return attempt
  }
}
