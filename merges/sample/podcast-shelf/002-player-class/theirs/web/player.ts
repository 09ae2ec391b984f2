import { Queue } from "./queue";

let audio: HTMLAudioElement = new Audio();
let queue: Queue | null = null;

  // one tap on the screen or a key of the headphones
export async function toggle() {
  audio.paused ? await audio.play() : audio.pause();
}

  // 15 seconds were too few to jump over an advertisement
export function skip() {
  audio.currentTime += 30;
}

  // the queue goes on by itself
export function next() {
  audio.src = queue.shift()?.url ?? "";
}
