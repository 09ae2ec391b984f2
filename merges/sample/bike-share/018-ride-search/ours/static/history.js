import { addRides } from "./ride-list.js";

const NOTHING = "No rides.";
const list = document.querySelector("#rides");
const button = document.querySelector("#more");


let last = null;

export async function more() {
  button.disabled = true;
  // a rider may press
  // the button again
  const query = last ? `?before=${last}` : "";
  const reply = await fetch("/api/rides" + query);
  const rides = await reply.json();
  addRides(rides, NOTHING);
  button.hidden = rides.length === 0;
  button.disabled = false;
  if (rides.length) last = rides.at(-1).started;
}

export function clear() {
  list.replaceChildren();
}

button.addEventListener("click", () => more());
