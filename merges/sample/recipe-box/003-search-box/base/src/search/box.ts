import { api } from "../api";

const SHORTEST = 2;

export class SearchBox {
  private timer = 0;
  private pending = new AbortController();

  constructor(private readonly show: (titles: string[]) => void) {}

  onInput(text: string): void {
    void this.search(text);
  }

  private async search(text: string): Promise<void> {
    if (text.length < SHORTEST) {
      return;
    }
    const found = await api.titles(text, this.pending.signal);
    this.show(found);
  }
}
