// files: what a person drops or chooses, read as text or refused with a sentence.
export const fileBytesMax = 4 * 1024 * 1024;

/** The text of a file's bytes. Throws an Error with one sentence for what is not text. */
export function textOf(name: string, data: Uint8Array): string {
  if (data.length > fileBytesMax) throw new Error(`“${name}” is larger than 4 MiB; cut out the part that matters.`);
  if (data.length === 0) throw new Error(`“${name}” is empty.`);
  let text: string;
  try {
    const utf16 = (data[0] === 0xff && data[1] === 0xfe) || (data[0] === 0xfe && data[1] === 0xff);
    const label = utf16 ? (data[0] === 0xff ? "utf-16le" : "utf-16be") : "utf-8";
    text = new TextDecoder(label, { fatal: true }).decode(data);
  } catch {
    throw new Error(`“${name}” is not a text file; PDF and office files come with the Documents room in a later version.`);
  }
  if (text.includes("\0")) throw new Error(`“${name}” is not a text file; it holds binary data.`);
  return text.replace(/\r\n?/g, "\n");
}
