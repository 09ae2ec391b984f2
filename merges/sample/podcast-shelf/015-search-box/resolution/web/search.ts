import { ask } from "./api";

// as the manual says: press / to search
const SHORTCUT = "/";

let timer: ReturnType<typeof setTimeout> | undefined;
let running: AbortController | undefined;

export function onInput(box: HTMLInputElement, show: (found: string[]) => void): void {
  clearTimeout(timer);
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  timer = setTimeout(() => ask(box.value, { signal }).then(show), 200);
}

export function listen(box: HTMLInputElement): void {
  document.addEventListener("keydown", (event) => {
    if (event.key === SHORTCUT && event.target !== box) {
      event.preventDefault();
      box.focus();
    }
  });
}
