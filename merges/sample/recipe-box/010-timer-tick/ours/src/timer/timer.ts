/** Counts down the minutes of a step; one for each step. */
export class StepTimer {
  private left: number;
  private handle = 0;

  constructor(minutes: number, private readonly onEnd: () => void) {
    this.left = minutes * 60;
  }

  private tick(): void {
    const step = document.hidden ? 2 : 1;
    this.left = this.left - step;
    if (this.left <= 0) {
      this.stop();
      this.onEnd();
    }
  }

  start(): void {
    if (this.handle !== 0) return;
    this.handle = window.setInterval(() => this.tick(), 1000);
  }

  stop(): void {
    window.clearInterval(this.handle);
    this.handle = 0;
  }
}
