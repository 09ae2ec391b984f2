import { test, expect } from "./browser.js";

test("the map shows every station", async ({ page }) => {
  await page.open("/");
  const found = await page.all(".station");
  expect(found.length).toBe(12);
});

// the list used to be slow: each line asked for its own
// station, until the request for all of them came (1.8)
test("the list is there at once", async ({ page }) => {
  page.limit(5_000);
  await page.open("/list");
  await page.press("Show all");
  const lines = await page.all("li");
  expect(lines.length).toBe(12);
});

test("a click on a station opens its card", async ({ page }) => {
  await page.open("/");
  await page.click(".station");
  expect(await page.text(".card h3")).toBe("Mill Bridge");
});
