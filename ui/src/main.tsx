// main: puts the page together.
import { render } from "preact";
import { app } from "./state.ts";
import { Frame } from "./views/app.tsx";

const root = document.getElementById("app");
if (root) {
  render(<Frame />, root);
  void app.start();
}
