import { api } from "../api";

const SHORTEST = 3;

export class SearchBox {
  private timer = 0;
  private pending = new AbortController();

  constructor(private readonly show: (titles: string[]) => void) {}

  onInput(text: string): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.search(text), 300);
  }

  private async search(text: string): Promise<void> {
    if (text.length < SHORTEST) {
      return;
    }
    const found = await api.titles(text, this.pending.signal);
    this.show(found);
  }
}
