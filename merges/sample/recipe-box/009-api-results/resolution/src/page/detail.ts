import { api } from "../api";
import { render } from "../render";
import { messageOf } from "../result";
import { skeleton } from "../skeleton";

export async function showDetail(id: string, at: HTMLElement): Promise<void> {
  at.replaceChildren(skeleton(6));
  at.dataset.recipe = id;
  at.setAttribute("aria-busy", "true");
  const started = performance.now();

  const found = await api.recipe(id);
  at.replaceChildren(found.ok ? render(found.value) : messageOf(found.error));

  at.removeAttribute("aria-busy");
  const took = performance.now() - started;
  if (took > 1000) {
    console.info("slow recipe", id);
    navigator.sendBeacon("/slow", JSON.stringify({ id, took }));
  }
}
