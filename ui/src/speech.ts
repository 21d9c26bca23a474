// speech: markdown as a screen reader should hear it: without its signs, and code as its length only.
export function speakable(text: string): string {
  return text
    .replace(/^(`{3,}|~{3,})[^\n]*\n([\s\S]*?)(?:\n\1[^\n]*|(?![\s\S]))/gm, (_, __, code: string) => {
      const lines = code.split("\n").length;
      return `Code, ${lines} ${lines === 1 ? "line" : "lines"}.`;
    })
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^\s{0,3}(#{1,6}|>|[-*+])\s+/gm, "")
    .replace(/[*_`~|]{1,3}/g, "")
    .replace(/\s+/g, " ")
    .trim();
}
