// looks: each state of the page in light, dark and on phones: axe finds nothing, nothing is wider than the window, and
// pictures are taken for people to look at.
import assert from "node:assert/strict";
import { join } from "node:path";
import { accessible, field, page, shots } from "../harness.mjs";

const looks = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  "phone-dark": { colorScheme: "dark", viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, reducedMotion: "reduce" },
};

for (const [name, context] of Object.entries(looks))
  page(`axe finds nothing, and pictures are taken: ${name}`, { context }, async (p, mock) => {
    const shot = (what) => p.screenshot({ path: join(shots, `${name}-${what}.png`) });
    const narrow = context.viewport !== undefined;
    // Colours are those of dark, shapes those of phone: one look of axe is enough where both were looked at.
    const scan = (what) => (name === "phone-dark" && what !== "a chat" ? undefined : accessible(p, `${what}, ${name}`));
    const wide = async () => {
      const [scroll, inner] = await p.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(scroll <= inner, `the page is ${scroll} px wide in a window of ${inner}`);
    };
    await p.locator(".model select").waitFor();
    await scan("an empty chat");
    await shot("welcome");
    await p.fill(field, "Explain binary search in C, briefly.");
    await p.click("[aria-label=Send]");
    await p.locator(".stats:has-text('tokens')").waitFor();
    await p.evaluate(() => document.querySelector(".transcript").scrollTo(0, 0));
    await scan("a chat");
    await wide();
    await shot("chat");
    await p.click("[aria-label='Settings of this chat']");
    await p.locator("#panel-title").waitFor();
    await p.click("summary:text('More')");
    await scan("settings");
    await shot("settings");
    await p.click("[aria-label='Close settings']");
    if (narrow) {
      await p.click("[aria-label='Open navigation']");
      await p.locator("dialog:modal .rooms").waitFor();
      await scan("navigation");
      await shot("navigation");
      await p.click("[aria-label='Close navigation']");
    }
    await p.fill(field, "be busy");
    await p.click("[aria-label=Send]");
    await p.locator(".problem").waitFor();
    await scan("a failure");
    await shot("failure");
    await p.evaluate(() => (location.hash = "#/documents"));
    await p.locator(".kicker").waitFor();
    await scan("a room to come");
    await shot("room");
  });
