// main: puts the page together.
import { render } from "preact";
import { app } from "./state.ts";
import { Frame } from "./views/app.tsx";
import { Guard } from "./views/guard.tsx";

const root = document.getElementById("app");
if (root) {
  render(
    <Guard what="The page">
      <Frame />
    </Guard>,
    root,
  );
  void app.start();
}
