import { api } from "../api";
import { render } from "../render";
import { skeleton } from "../skeleton";

export async function showDetail(id: string, at: HTMLElement): Promise<void> {
  at.replaceChildren(skeleton(6));
  at.dataset.recipe = id;
  at.setAttribute("aria-busy", "true");
  const started = performance.now();

  try {
    at.replaceChildren(render(await api.recipe(id)));
  } catch (error) {
    at.textContent = error instanceof Error ? error.message : String(error);
  }

  at.removeAttribute("aria-busy");
  const took = performance.now() - started;
  if (took > 1000) {
    console.info("slow recipe", id);
  }
}
