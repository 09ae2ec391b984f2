import { Queue } from "./queue";

export class Player {
  private audio = new Audio();

  constructor(private queue: Queue) {}

  // one tap on the screen or a key of the headphones
  toggle(): Promise<void> {
    return this.audio.paused ? this.audio.play() : Promise.resolve(this.audio.pause());
  }

  // 15 seconds were too few to jump over an advertisement
  skip(seconds = 15): void {
    this.audio.currentTime = Math.min(this.audio.currentTime + seconds, this.audio.duration);
  }

  // the queue goes on by itself
  next(): void {
    const episode = this.queue.shift();
    this.audio.src = episode?.url ?? "";
  }
}
