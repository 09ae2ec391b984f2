/** The speeds that the button goes through. */
export const SPEEDS = [0.8, 1, 1.25, 1.5];

const KEY = "shelf.speed";

export function faster(speed: number): number {
  return SPEEDS.find((each) => each > speed) ?? SPEEDS[0]!;
}

export function load(): number {
  return Number(localStorage.getItem(KEY) ?? 1);
}

export function keep(speed: number): void {
  localStorage.setItem(KEY, String(speed));
}

export function label(speed: number): string {
  return `${speed.toLocaleString()}×`;
}

/** Old browsers change the pitch as well. */
export function apply(audio: HTMLAudioElement, speed: number): void {
  audio.playbackRate = speed;
}
