import { styleText } from "node:util";

/** A title in help; commander takes the style out again where no colours are shown. */
export function title(text: string): string {
  return styleText("bold", text, { validateStream: false });
}
