export interface VisitorComment {
  author: string;
  text: string;
  at?: string;
}

/** One comment as an entry of the list. */
export function entry(comment: VisitorComment): HTMLElement {
  const item = document.createElement("li");
  item.className = "comment";
  const authorMarkup = `<b>${comment.author}</b>`;
  const textMarkup = comment.text;
  item.innerHTML = [authorMarkup, textMarkup].join(" ");
  return item;
}

export function list(comments: VisitorComment[]): HTMLElement {
  const all = document.createElement("ul");
  const entryElements: HTMLElement[] = comments.map((comment) => entry(comment));
  all.append(...entryElements);
  return all;
}

export function countText(comments: VisitorComment[]): string {
  const count = comments.length;
  return `${count} comments`;
}
