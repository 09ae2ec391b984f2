import { byName } from "./sorting.js";

/** One line of the list beside the map. */
export function lineOf(station) {
  const line = document.createElement("li");
  line.dataset.code = station.code;
  const left = station.docks - station.bikes;
  line.textContent = `${station.name}: ${left} docks free`;
  return line;
}

export function fillList(list, stations) {
  list.replaceChildren();
  for (const station of stations.sort(byName)) {
    list.append(lineOf(station));
  }
}
