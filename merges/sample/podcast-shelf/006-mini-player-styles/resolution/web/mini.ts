/** The player in the corner, while one reads. */
export function mini(player: HTMLElement): void {
  player.classList.add("player", "player--mini");
  player.hidden = false;
  document.body.append(player);
}
