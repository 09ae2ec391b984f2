import { api } from "../api";
import { render } from "../render";

export async function showDetail(id: string, at: HTMLElement): Promise<void> {
  at.textContent = "…";
  at.dataset.recipe = id;
  at.setAttribute("aria-busy", "true");
  const started = performance.now();

  try {
    at.replaceChildren(render(await api.recipe(id)));
  } catch (error) {
    at.textContent = String(error);
  }

  at.removeAttribute("aria-busy");
  const took = performance.now() - started;
  if (took > 1000) {
    console.info("slow recipe", id);
  }
}
