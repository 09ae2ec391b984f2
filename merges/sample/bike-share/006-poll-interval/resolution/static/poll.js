import { showError, hideError } from "./banner.js";
import { redraw } from "./map.js";

async function stations() {
  const reply = await fetch("/api/stations");
  if (!reply.ok) throw new Error(reply.statusText);
  return reply.json();
}

export function startPolling(seconds = 20) {
  const step = () => document.hidden || ask();
  return setInterval(step, seconds * 1_000);
}

async function ask() {
  try {
    redraw(await stations());
    hideError();
  } catch (error) {
    // the next answer
    // may well be fine,
    // so go on
    console.warn("no stations", error);
    showError("The map is not up to date.");
  }
}
