// problem: every failure as one sentence that says what happened and what to do, and whether trying again makes sense.

export type Kind = "key" | "gone" | "busy" | "refused" | "broken" | "server";

export class Problem extends Error {
  constructor(
    readonly kind: Kind,
    message: string,
    /** Seconds that the server asks to wait. */
    readonly wait?: number,
  ) {
    super(message);
  }
}

/** The message of an error body in OpenAI's, Ollama's or Anthropic's shape, or "". */
export function messageOf(body: unknown): string {
  if (typeof body !== "object" || body === null) return "";
  const error = (body as { error?: unknown }).error;
  if (typeof error === "string") return error.trim();
  if (typeof error === "object" && error !== null) {
    const message = (error as { message?: unknown }).message;
    if (typeof message === "string") return message.trim();
  }
  return "";
}

const sentence = (text: string): string => {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
};

export function problemOfStatus(status: number, text: string, retryAfter: string | null): Problem {
  let said = "";
  try {
    said = messageOf(JSON.parse(text));
  } catch {
    // not JSON: a proxy's page says nothing to a person
  }
  const wait = retryAfter && /^\d+$/.test(retryAfter) ? Number(retryAfter) : undefined;
  const later = wait === undefined ? "try again in a moment" : `try again in ${wait} s`;
  if (status === 401)
    return new Problem("key", said ? sentence(said) : "The server wants an API key that it knows.");
  if (status === 429 || status === 503)
    return new Problem("busy", said ? sentence(`${said.replace(/\.$/, "")}; ${later}`) : `The server is busy; ${later}.`, wait);
  if (said) return new Problem(status >= 500 ? "server" : "refused", sentence(said));
  if (status === 404) return new Problem("refused", "The server has no such route (404): is this pith serve?");
  if (status === 413) return new Problem("refused", "The message is too large for the server; remove a file or shorten it.");
  return new Problem(status >= 500 ? "server" : "refused", `The server answered with status ${status} and no explanation.`);
}

/** What fetch throws when there is nobody to talk to. */
export const gone = (): Problem =>
  new Problem("gone", "The server does not answer; start it again with “pith serve”, then retry.");

export const broken = (): Problem =>
  new Problem("broken", "The connection ended before the answer was complete; what came is kept, and you can retry.");

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof TypeError) return gone();
  return new Problem("server", sentence(error instanceof Error ? error.message : String(error)));
}
