// clipboard: copying text, and the copy buttons of code.
import { app } from "./state.ts";

/** The copy buttons stand in HTML made from the answer; one listener serves them all. */
export function copyCode(event: MouseEvent): void {
  const button = event.target instanceof Element ? event.target.closest<HTMLButtonElement>("button.copy") : null;
  const code = button?.closest(".code")?.querySelector("pre code")?.textContent;
  if (!button || code === undefined || code === null) return;
  void copyText(code).then((done) => {
    button.textContent = done ? "Copied" : "Not copied";
    setTimeout(() => (button.textContent = "Copy"), 1600);
  });
}

/** Also works on plain HTTP, where browsers withhold the clipboard interface. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    app.say("Copied.");
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    const before = document.activeElement;
    (document.querySelector("dialog:modal") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (before instanceof HTMLElement) before.focus();
    app.say(done ? "Copied." : "The browser did not allow copying.");
    return done;
  }
}
