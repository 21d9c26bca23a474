// icons: the page's own drawings, 20 x 20, one stroke. They carry no meaning alone: each stands beside a word or in a
// labelled button.
import type { ComponentChildren, JSX } from "preact";

const icon = (children: ComponentChildren): (() => JSX.Element) =>
  function Icon() {
    return (
      <svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">
        {children}
      </svg>
    );
  };

export const Plus = icon(<path d="M10 4v12M4 10h12" />);
export const Menu = icon(<path d="M3 6h14M3 10h14M3 14h9" />);
export const Close = icon(<path d="M5 5l10 10M15 5L5 15" />);
export const Sliders = icon(<path d="M3 6h7M14 6h3M3 14h3M10 14h7M12 4v4M8 12v4" />);
export const Pencil = icon(<path d="M4 16l.8-3.4L13 4.4a1.4 1.4 0 012 0l.6.6a1.4 1.4 0 010 2L7.4 15.2 4 16zM11.6 5.8l2.6 2.6" />);
export const Trash = icon(<path d="M4 6h12M8 6V4h4v2M6 6l.7 10h6.6L14 6M9 9v4M11 9v4" />);
export const Copy = icon(<path d="M7 7h9v9H7zM13 7V4H4v9h3" />);
export const Again = icon(<path d="M15.5 8A6 6 0 104.6 12.6M16 4v4h-4" />);
export const Send = icon(<path d="M10 16V4.5M5 9l5-5 5 5" />);
export const Stop = icon(<rect class="solid" x="5.5" y="5.5" width="9" height="9" rx="1.5" />);
export const Clip = icon(<path d="M15.5 9.5l-5.6 5.6a3.3 3.3 0 01-4.7-4.7l6.1-6.1a2.2 2.2 0 013.1 3.1l-6 6a1.1 1.1 0 01-1.6-1.6l5.5-5.4" />);
export const File = icon(<path d="M5 3h6l4 4v10H5zM11 3v4h4" />);
export const Down = icon(<path d="M10 4v11M5 10.5l5 5 5-5" />);
export const Chat = icon(<path d="M4 5h12v8.5H9L5.5 16v-2.5H4z" />);
export const Documents = icon(<path d="M6 3h8v14H6zM8.5 7h3M8.5 10h3M8.5 13h2" />);
export const Tuning = icon(<path d="M3 15c3 0 3-10 6-10s3 8 8 8M3 5h2M13 15h4" />);
export const Evaluation = icon(<path d="M4 16V9M8 16V5M12 16v-5M16 16V7" />);
export const Save = icon(<path d="M10 3v9M6 8.5l4 4 4-4M4 14v2.5h12V14" />);
export const Open = icon(<path d="M10 12.5V3.5M6 7l4-4 4 4M4 14v2.5h12V14" />);
export const Sun = icon(<path d="M10 6.5a3.5 3.5 0 100 7 3.5 3.5 0 000-7zM10 2v1.8M10 16.2V18M2 10h1.8M16.2 10H18M4.3 4.3l1.3 1.3M14.4 14.4l1.3 1.3M4.3 15.7l1.3-1.3M14.4 5.6l1.3-1.3" />);
export const Moon = icon(<path d="M15.5 12A6.5 6.5 0 018 4.5 6.5 6.5 0 1015.5 12z" />);
export const Half = icon(
  <>
    <circle cx="10" cy="10" r="6.5" />
    <path class="solid" d="M10 3.5a6.5 6.5 0 010 13z" />
  </>,
);
export const Keys = icon(<path d="M3 6h14v8H3zM5.5 8.5h.1M8.5 8.5h.1M11.5 8.5h.1M14.5 8.5h.1M6.5 11.5h7" />);

/** The mark: a stem cut across. */
export const Mark = (): JSX.Element => (
  <svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false">
    <circle cx="16" cy="16" r="13" />
    <circle cx="16" cy="16" r="7.5" />
    <circle class="core" cx="16" cy="16" r="3" />
  </svg>
);

/** A growth ring: nearly a circle, uneven as what grows is. */
function ring(radius: number, phase: number): string {
  const points = Array.from({ length: 48 }, (_, i) => {
    const a = (i / 48) * 2 * Math.PI;
    const r = radius * (1 + 0.014 * Math.sin(2 * a + 0.6) + 0.011 * Math.sin(3 * a + 2 + phase * 0.12) + 0.007 * Math.sin(5 * a + phase * 0.5));
    return [120 + r * Math.cos(a), 120 + r * Math.sin(a)] as const;
  });
  const middle = (i: number): string => {
    const [a, b] = [points[i % 48]!, points[(i + 1) % 48]!];
    return `${((a[0] + b[0]) / 2).toFixed(1)} ${((a[1] + b[1]) / 2).toFixed(1)}`;
  };
  const curves = points.map((_, i) => {
    const [x, y] = points[(i + 1) % 48]!;
    return `Q${x.toFixed(1)} ${y.toFixed(1)} ${middle(i + 1)}`;
  });
  return `M${middle(0)}${curves.join("")}Z`;
}

const radii = [18, 27, 34, 46, 55, 62, 75, 83, 96, 103, 113];

/** A stem cut across, large. */
export const Rings = (): JSX.Element => (
  <svg class="rings" viewBox="0 0 240 240" aria-hidden="true" focusable="false">
    {radii.map((r, i) => (
      <path key={r} d={ring(r, i)} class={i % 3 === 1 ? "thin" : undefined} />
    ))}
    <path class="core" d={ring(8, 0)} />
  </svg>
);
