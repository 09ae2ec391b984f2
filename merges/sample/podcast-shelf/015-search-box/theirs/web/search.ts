import { ask } from "./api";

// as the manual says: press / to search
const SHORTCUT = "s"; // just trying

let timer: ReturnType<typeof setTimeout> | undefined;
let running: AbortController | undefined;

export function onInput(box: HTMLInputElement, show: (found: string[]) => void): void {
  clearTimeout(timer);
  timer = setTimeout(() => ask(box.value).then(show), 300);
}

export function listen(box: HTMLInputElement): void {
  document.addEventListener("keydown", (event) => {
    if (event.key === SHORTCUT && event.target !== box) {
      event.preventDefault();
      box.focus();
    }
  });
}
