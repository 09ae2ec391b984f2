import { Queue } from "./queue";

let audio = new Audio();
let queue: Queue;

  // one tap on the screen or a key of the headphones
export function toggle() {
  audio.paused ? audio.play() : audio.pause();
}

  // 15 seconds were too few to jump over an advertisement
export function skip() {
  audio.currentTime += 15;
}

  // the queue goes on by itself
export function next() {
  audio.src = queue.shift().url;
}
