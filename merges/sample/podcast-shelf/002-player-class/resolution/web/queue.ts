import type { Episode } from "./episode";

/** What plays next. */
export class Queue {
  private items: Episode[] = [];

  add(episode: Episode): void {
    if (!this.items.some((item) => item.guid === episode.guid)) {
      this.items.push(episode);
    }
  }

  shift(): Episode | undefined {
    const episode = this.items.shift();
    this.save();
    return episode;
  }

  get length(): number {
    return this.items.length;
  }

  private save(): void {
    localStorage.setItem("shelf.queue", JSON.stringify(this.items));
  }
}
