/** Counts down the minutes of a step. */
export class StepTimer {
  private left: number;
  private handle = 0;

  constructor(minutes: number, private readonly onEnd: () => void) {
    this.left = minutes * 60;
  }

  private tick(): void {
    this.left = this.left - 1;
    if (this.left <= 0) {
      this.stop();
      this.onEnd();
    }
  }

  start(): void {
    this.handle = window.setInterval(() => this.tick(), 1000);
  }

  stop(): void {
    window.clearInterval(this.handle);
    this.handle = 0;
  }
}
