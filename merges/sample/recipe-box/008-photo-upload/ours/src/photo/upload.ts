import { api } from "../api";

const TYPES = ["image/jpeg", "image/png"];

// the proxy in front of the API answers 413 from 8 MB on
const MEGABYTE = 1024 * 1024;
const QUALITY = 0.85;
const LARGEST = 7 * MEGABYTE;

export async function upload(recipe: string, file: File): Promise<string> {
  if (!TYPES.includes(file.type)) {
    throw new Error(`not a photo: ${file.type}`);
  }
  if (file.size > LARGEST) {
    const smaller = await shrink(file, QUALITY, LARGEST);
    return api.putPhoto(recipe, smaller);
  }
  return api.putPhoto(recipe, file);
}

export function preview(file: File): string {
  return file.type === "" ? "" : URL.createObjectURL(file);
}
