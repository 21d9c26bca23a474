// Trusted Types, of which TypeScript's DOM library knows nothing.
interface TrustedHTML {
  toString(): string;
}
