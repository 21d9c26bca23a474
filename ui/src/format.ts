// format: numbers and times as people read them.

const group = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");

export const tokens = (n: number): string => `${group(n)} ${n === 1 ? "token" : "tokens"}`;

export const count = group;

export function rate(perSecond: number): string {
  return `${perSecond >= 100 ? group(Math.round(perSecond)) : perSecond.toFixed(1)} tok/s`;
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  if (n < 1024 * 1024) return `${(n / 1024).toFixed(1)} KiB`;
  return `${(n / 1024 / 1024).toFixed(1)} MiB`;
}

const dayMs = 24 * 3600 * 1000;

/** The heading under which a chat stands in the history. */
export function ageOf(then: number, now: number): string {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  if (then >= midnight) return "Today";
  if (then >= midnight - dayMs) return "Yesterday";
  if (then >= midnight - 6 * dayMs) return "This week";
  const date = new Date(then);
  return date.toLocaleDateString("en", { month: "long", year: "numeric" });
}
