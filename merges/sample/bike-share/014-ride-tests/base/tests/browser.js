import { open } from "./driver.js";

const START = "http://localhost:8080";

/** A page of a test, with what the tests do on it. */
export class Page {
  constructor(w) {
    this.window = w;
    this.clicks = 0;
    this.keys = [];
    this.log = console;
    this.shown = false;
    this.patience = 1_000;
  }

  limit(milliseconds) {
    this.patience = milliseconds;
  }

  async open(path) {
    await this.window.load(START + path, this.patience);
  }
}
