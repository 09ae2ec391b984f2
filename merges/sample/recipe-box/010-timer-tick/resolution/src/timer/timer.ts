/** Counts down the minutes of a step; one for each step. */
export class StepTimer {
  private left: number;
  private handle = 0;

  constructor(minutes: number, private readonly onEnd: () => void) {
    this.left = minutes * 60;
  }

  private tick(): void {
    this.left = Math.ceil((this.endsAt - Date.now()) / 1000);
    if (this.left <= 0) {
      this.stop();
      this.onEnd();
    }
  }

  start(): void {
    if (this.handle !== 0) return;
    this.endsAt = Date.now() + this.left * 1000;
    this.handle = window.setInterval(() => this.tick(), 250);
  }

  stop(): void {
    window.clearInterval(this.handle);
    this.handle = 0;
  }

  private endsAt = 0;
}
