import { showError } from "./banner.js";
import { redraw } from "./map.js";

async function stations() {
  const reply = await fetch("/api/stations");
  if (!reply.ok) throw new Error(reply.statusText);
  return reply.json();
}

export function startPolling() {
  setInterval(ask, 30_000);
}

async function ask() {
  try {
    redraw(await stations());
  } catch (error) {
    // the next answer
    // may well be fine,
    // so go on
    console.log(error);
    showError("The map is not up to date.");
  }
}
