// first: runs before anything is drawn, so that a page in a chosen theme never flashes in the other.
try {
  const theme = localStorage.getItem("pith.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset["theme"] = theme;
} catch {
  // nothing is kept for this page: the system's theme holds
}
