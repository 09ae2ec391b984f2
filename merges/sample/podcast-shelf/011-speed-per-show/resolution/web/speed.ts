/** The speeds that the button goes through. */
export const SPEEDS = [0.8, 1, 1.25, 1.5, 2];

const KEY = "shelf.speed";

export function faster(speed: number): number {
  return SPEEDS.find((each) => each > speed) ?? SPEEDS[0]!;
}

export function load(show: string): number {
  const own = localStorage.getItem(`${KEY}.${show}`);
  return Number(own ?? localStorage.getItem(KEY) ?? 1);
}

export function keep(show: string, speed: number): void {
  localStorage.setItem(`${KEY}.${show}`, String(speed));
}

export function label(speed: number): string {
  return `${speed.toLocaleString()}×`;
}

/** Old browsers change the pitch as well. */
export function apply(audio: HTMLAudioElement, speed: number): void {
  audio.playbackRate = speed;
  audio.preservesPitch = true;
}
