import { api } from "../api";

const TYPES = ["image/jpeg", "image/png"];

// the proxy in front of the API answers 413 from 8 MB on
const MEGABYTE = 1024 * 1024;
const QUALITY = 0.85;
const LARGEST = 10 * MEGABYTE;

export async function upload(recipe: string, file: File): Promise<string> {
  if (!TYPES.includes(file.type)) {
    throw new Error(`not a photo: ${file.type}`);
  }
  if (file.size > LARGEST) {
    throw new Error("too large");
  }
  return api.putPhoto(recipe, file);
}

export function preview(file: File): string {
  return URL.createObjectURL(file);
}
