import { defineConfig } from "loaf";
import icons from "loaf-plugin-icons/v2";

export default defineConfig({
  root: "src",
  entry: ["main.ts", "print.ts"],
  base: "/box/",
  plugins: [icons({ folder: "icons" })],
  css: { modules: false },
  define: {
    __BUILD__: JSON.stringify(process.env.BUILD ?? "local"),
  },
  server: { port: 4200 },
  build: { outDir: "dist", maps: "hidden" },
});
