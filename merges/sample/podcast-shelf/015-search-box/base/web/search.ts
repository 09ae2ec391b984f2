import { ask } from "./api";

// as the manual says: press / to search
const SHORTCUT = "/";

let timer: ReturnType<typeof setTimeout> | undefined;
let running: AbortController | undefined;

export function onInput(box: HTMLInputElement, show: (found: string[]) => void): void {
  ask(box.value).then(show);
}

export function listen(box: HTMLInputElement): void {
  document.addEventListener("keydown", (event) => {
    if (event.key === SHORTCUT && event.target !== box) {
      box.focus();
    }
  });
}
