// markdown: what a model wrote, as HTML that cannot do anything. Three lines of defence, each enough alone:
// HTML in the text is shown as text; DOMPurify lets a short list of elements through; the page's policy runs no script
// that is not its own, and takes no HTML that did not come through DOMPurify (Trusted Types).
import DOMPurify from "dompurify";
import { Marked, Renderer } from "marked";
import type { Token, Tokens } from "marked";
import { escapeHtml, highlight } from "./code.ts";

/** Bare elements without attributes that models write inside tables and formulas. */
const harmless = /^<\/?(br|sub|sup|kbd|u|mark)\s*\/?>$/i;

class Calm extends Renderer {
  override html({ text }: Tokens.HTML | Tokens.Tag): string {
    return harmless.test(text.trim()) ? text.trim() : escapeHtml(text);
  }

  override code({ text, lang }: Tokens.Code): string {
    const language = /^[\w+#.-]{1,24}/.exec(lang ?? "")?.[0].toLowerCase() ?? "";
    const label = language === "" ? "Code" : `Code, ${language}`;
    return (
      `<div class="code"><div class="code-bar"><span class="code-name">${escapeHtml(language)}</span>` +
      `<button type="button" class="copy">Copy</button></div>` +
      `<pre tabindex="0" role="region" aria-label="${escapeHtml(label)}"><code>${highlight(text, language)}</code></pre></div>\n`
    );
  }

  // The page has headings of its own; those of an answer stand below them.
  override heading({ tokens, depth }: Tokens.Heading): string {
    const level = Math.min(depth + 2, 6);
    return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
  }

  override link({ href, title, tokens }: Tokens.Link): string {
    const text = this.parser.parseInline(tokens);
    if (!/^(https?:\/\/|mailto:)/i.test(href)) return text;
    const tip = title ? `${title} — ${href}` : href;
    return `<a href="${escapeHtml(href)}" title="${escapeHtml(tip)}" target="_blank" rel="noopener noreferrer nofollow">${text}</a>`;
  }

  // An image would be a request to somebody: it is named, and linked where that is possible.
  override image({ href, text }: Tokens.Image): string {
    const name = `[image: ${escapeHtml(text || href)}]`;
    if (!/^https?:\/\//i.test(href)) return name;
    return `<a href="${escapeHtml(href)}" title="${escapeHtml(href)}" target="_blank" rel="noopener noreferrer nofollow">${name}</a>`;
  }

  override table(token: Tokens.Table): string {
    return `<div class="table" tabindex="0" role="region" aria-label="Table">${super.table(token)}</div>`;
  }
}

const marked = new Marked();
marked.setOptions({ gfm: true, renderer: new Calm() });

/** A paragraph, list, code block... of a text; `raw` is its source, by which it is known again. */
export interface Block {
  raw: string;
  token: Token;
}

/**
 * What makes the parser slow or deep beyond measure, and no person means: 24 quotations or lists in one another, 200 stars in
 * a row, lines indented by 400. Such a text, or one of more than 256 Ki characters, is shown as it was written.
 */
const absurd = /^(?:[ \t]{0,8}(?:>|(?:[-*+]|\d{1,9}[.)])[ \t])){24}|[*_]{200}|^[ \t]{400}/m;
const longest = 256 * 1024;

const plain = (raw: string): Block => ({ raw, token: { type: "plain", raw } });

export function blocksOf(text: string): Block[] {
  if (text.length > longest || absurd.test(text)) return [plain(text)];
  try {
    return marked.lexer(text).filter((token) => token.type !== "space" && token.type !== "def").map((token) => ({ raw: token.raw, token }));
  } catch {
    return [plain(text)]; // too deep after all
  }
}

/** HTML of a block before it is sanitized. */
export function draftOf(block: Block): string {
  if (block.token.type !== "plain")
    try {
      return marked.parser([block.token]);
    } catch {
      // as it was written, then
    }
  return `<p class="plain">${escapeHtml(block.raw)}</p>\n`;
}

const allowed = {
  ALLOWED_TAGS: [
    "a", "blockquote", "br", "button", "code", "del", "div", "em", "h3", "h4", "h5", "h6", "hr", "input", "kbd", "li", "mark", "ol",
    "p", "pre", "span", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "u", "ul",
  ],
  ALLOWED_ATTR: ["align", "aria-label", "checked", "class", "disabled", "href", "rel", "role", "start", "tabindex", "target", "title", "type"],
  // What follows holds for every other attribute too, so those whose values are no addresses are named.
  ADD_URI_SAFE_ATTR: ["align", "rel", "start", "tabindex", "target", "type"],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ALLOW_DATA_ATTR: false,
  RETURN_TRUSTED_TYPE: true,
};

export function htmlOf(block: Block): TrustedHTML {
  return DOMPurify.sanitize(draftOf(block), allowed) as unknown as TrustedHTML;
}
