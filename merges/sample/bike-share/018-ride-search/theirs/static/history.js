import { addRides } from "./ride-list.js";

const NOTHING = "You have not taken a bike yet.";
const list = document.querySelector("#rides");
const button = document.querySelector("#more");


let page = 0;

export async function more() {
  button.disabled = true;
  // a rider may press
  // the button again
  const reply = await fetch("/api/rides?page=" + page);
  const rides = await reply.json();
  addRides(rides, NOTHING);
  button.hidden = rides.length === 0;
  button.disabled = false;
  page = page + 1;
}

export function clear() {
  list.replaceChildren();
}

button.onclick = more;
