export const hostile: string;
export const showcase: string;
export function policyOf(html: string): string;
