/** The icons of the pages, which are also the class names of their colours. */
export type IconName = "success" | "denied" | "failed" | "notice";

const SHAPES: Readonly<Record<IconName, string>> = {
  success: '<path d="M20.5 32.8l7.8 7.7 15.4-16.6"/>',
  denied: '<path d="M21 32h22"/>',
  failed: '<path d="M23.5 23.5l17 17m0-17l-17 17"/>',
  notice: '<path d="M32 30v13"/><path d="M32 21.2v.3"/>',
};

const TAB_COLOURS: Readonly<Record<IconName, string>> = {
  success: "#15803d",
  denied: "#b45309",
  failed: "#c62828",
  notice: "#2563eb",
};

/** The icon of the page: decoration, the heading says the same. */
export function svgIcon(icon: IconName): string {
  return (
    '<svg viewBox="0 0 64 64" width="64" height="64" aria-hidden="true" focusable="false">' +
    `<circle cx="32" cy="32" r="32"/><g>${SHAPES[icon]}</g></svg>`
  );
}

function tabIcon(icon: IconName): string {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">' +
    `<circle cx="32" cy="32" r="32" fill="${TAB_COLOURS[icon]}"/>` +
    `<g fill="none" stroke="#fff" stroke-width="6" stroke-linecap="round" stroke-linejoin="round">${SHAPES[icon]}</g></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** The icon of the browser tab as a data URL, which also keeps browsers from asking for /favicon.ico. */
export const TAB_ICON: Readonly<Record<IconName, string>> = {
  success: tabIcon("success"),
  denied: tabIcon("denied"),
  failed: tabIcon("failed"),
  notice: tabIcon("notice"),
};

/** The style of the pages. All text reaches a contrast of 4.5 to 1 in both schemes (WCAG 2.2, 1.4.3). */
export const PAGE_STYLE = `
:root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--edge:#e3e6eb;--text:#181b21;--quiet:#565d6a}
.success{--sign:#12733a;--halo:#def5e6}
.denied{--sign:#a34b06;--halo:#fdeeda}
.failed{--sign:#c02626;--halo:#fde6e4}
.notice{--sign:#2257c9;--halo:#e4edfd}
@media (prefers-color-scheme:dark){
:root{--page:#0e1014;--card:#171a20;--edge:#292e37;--text:#eef0f4;--quiet:#a5adbb}
.success{--sign:#5fd68b;--halo:#12331f}
.denied{--sign:#f2b35c;--halo:#3a2710}
.failed{--sign:#ff8f86;--halo:#421a18}
.notice{--sign:#85b0ff;--halo:#172a4d}
}
*{box-sizing:border-box}
html{height:100%;-webkit-text-size-adjust:100%}
body{margin:0;min-height:100%;display:grid;place-items:center;padding:24px 16px;background:var(--page);color:var(--text);
font:17px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Helvetica Neue",Arial,sans-serif}
main{width:100%;max-width:29rem;padding:44px 40px 40px;border:1px solid var(--edge);border-radius:18px;background:var(--card);
text-align:center;box-shadow:0 1px 2px rgb(0 0 0/.04),0 12px 32px rgb(0 0 0/.06)}
svg{display:block;margin:0 auto 22px}
svg circle{fill:var(--halo)}
svg g{fill:none;stroke:var(--sign);stroke-width:4.5;stroke-linecap:round;stroke-linejoin:round}
h1{margin:0 0 12px;font-size:1.55rem;line-height:1.25;font-weight:650;letter-spacing:-.012em;outline:none;text-wrap:balance}
p{margin:0;overflow-wrap:anywhere;text-wrap:balance}
.name{font-weight:600}
.next{margin-top:22px;padding-top:20px;border-top:1px solid var(--edge);color:var(--quiet);font-size:.94rem}
.next .name{color:var(--text)}
@media (max-width:480px){main{padding:36px 24px 30px}h1{font-size:1.4rem}}
@media (forced-colors:active){svg circle{fill:Canvas;stroke:CanvasText;stroke-width:2}svg g{stroke:CanvasText}}
`;
