import { open } from "./driver.js";

const START = "http://localhost:8080";

/** A page of a test, with what the tests do on it. */
export class Page {
  constructor(window, limit = 1_000) {
    this.window = window;
    this.clicks = 0;
    this.keys = [];
    this.log = console;
    this.shown = false;
    this.patience = limit;
  }

  limit(milliseconds) {
    this.patience = milliseconds;
  }

  async open(path) {
    await this.window.load(START + path, this.patience);
  }
}
