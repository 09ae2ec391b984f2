import { addRides } from "./ride-list.js";

const NOTHING = "No rides.";
const list = document.querySelector("#rides");
const button = document.querySelector("#more");


let all = [];

export async function more() {
  button.disabled = true;
  // a rider may press
  // the button again
  const reply = await fetch("/api/rides");
  const rides = await reply.json();
  addRides(rides, NOTHING);
  button.hidden = rides.length === 0;
  button.disabled = false;
  all = all.concat(rides);
}

export function clear() {
  list.replaceChildren();
}

button.onclick = more;
