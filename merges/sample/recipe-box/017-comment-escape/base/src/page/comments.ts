export interface VisitorComment {
  author: string;
  text: string;
}

/** One comment as an entry of the list. */
export function entry(comment: VisitorComment): HTMLElement {
  const item = document.createElement("li");
  item.className = "comment";
  item.innerHTML = `<b>${comment.author}</b> ${comment.text}`;
  return item;
}

export function list(comments: VisitorComment[]): HTMLElement {
  const all = document.createElement("ul");
  for (const comment of comments) all.append(entry(comment));
  return all;
}

export function countText(comments: VisitorComment[]): string {
  const count = comments.length;
  return `${count} comments`;
}
